"""Conversations in our JSON form into the tables. Knows tables; no file and no other format.

Everything is checked before anything is written, then all is written in one transaction. Few conversations at once are
in memory.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from conversations.exchange.citations import check_limits, drop_dangling_sources
from conversations.exchange.documents import check_document_count, save_documents
from conversations.exchange.errors import ExchangeError
from conversations.exchange.exporter import THINKING, serialize
from conversations.exchange.folder import Folder
from conversations.exchange.parsed import ParsedFile
from conversations.exchange.pictures import check_pictures, save_pictures
from conversations.exchange.project import check_project, save_folder, save_project
from conversations.exchange.schema import digest, validate_conversation
from conversations.exchange.spool import Spool
from conversations.store import store as stores
from conversations.store.schema import Conversation, Feedback, Message, SavedPersona, Summary, ToolCall
from conversations.store.store import Store
from conversations.store.text import searched_words
from documents.settings import DocumentSettings
from prompts.persona import Persona

BATCH = 2000  # messages that are written at once, if they are not too long
BATCH_LETTERS = 2_000_000  # characters of such messages
AT_ONCE = 20  # conversations whose ids are looked up at once
MAX_TWINS = 10  # conversations of the same times that are compared
KEPT_BLANKS = {"chatgpt", "open-webui"}  # around whose titles and prompts earlier versions kept blanks
NO_CALL = {"strange": True, "passage": None, "expires": None, "thought": 0}  # what a call's form need not tell
NOTHING_HELD = {"backend": None, "model": None, "tools": None}  # of a project's form, where nobody looks what is here
NOTHING_SET = {"whole": False, "reasoning_effort": None}  # of a conversation's form that does not tell them
BESIDE = {"feedback", "summaries", "sources", "calls", "pictures"}  # of a message's form, not in its table
NOT_COLUMNS = {"number", "parent", *BESIDE}

Hold = Callable[[Mapping[str, Any], list[str]], dict[str, Any]]


@dataclass
class ImportReport:
    """The ids of what was imported, of those that had to get a new one, and of what was there unchanged.

    `personas` are the names of those that were saved; `notes` say which pictures were left out, a line each.
    `projects` are the names of those that were made, or that something was added to.
    """

    added: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    personas: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)


def import_conversation(
    store: Store, conversation: Mapping[str, Any], complete: Callable[[Session, str], None] | None = None
) -> str:
    """Write one conversation in one transaction; returns its id here. Raises ExchangeError, and nothing is written.

    `complete` adds to what was written, where something was.
    """
    checked = _checked(conversation)
    with store.database.writing() as session:
        writer = ImportWriter(session, store)
        writer.add_all([checked])
        if complete is not None and writer.report.added:
            complete(session, writer.report.added[0])
    return (writer.report.added or writer.report.skipped)[0]


def import_files(store: Store, *files: ParsedFile, hold: Hold | None = None) -> ImportReport:
    """Write all that stands in these files, as `import_all` does.

    Raises as that, and ExchangeError for a file with a project beside others: what would belong to it?
    """
    projects = [file.project for file in files if file.project is not None]
    if projects and len(files) > 1:
        raise ExchangeError("A file with a project is imported alone, so that it is known what belongs to it.")
    personas = [persona for file in files for persona in file.personas]
    folders = [folder for file in files for folder in file.folders]
    return import_all(store, chain.from_iterable(files), personas, next(iter(projects), None), folders, hold)


def import_all(
    store: Store,
    conversations: Iterable[Mapping[str, Any]],
    personas: Iterable[Persona] = (),
    project: Mapping[str, Any] | None = None,
    folders: Iterable[Folder] = (),
    hold: Hold | None = None,
) -> ImportReport:
    """Write all of them, or nothing. Raises ExchangeError, also for documents beyond the limits, and SettingsError.

    An id is kept where it is free. What is there unchanged is skipped; where the id is taken by somebody else, or by a
    conversation that has changed, the imported one gets a new id (the same one when it is imported again). What is
    added is in the `project`, where one is given, as a file of ours has it, or in those of `folders` as these say.
    `hold` says which backend, model and tools of a `project` hold here, and notes what does not; else none does.
    """
    limits, notes, folders = DocumentSettings.read(), list[str](), list(folders)
    checked = Spool()
    for conversation in conversations:
        checked.append(check_pictures(_checked(conversation, limits), store, notes))
    held = None if project is None else _held(project, limits, hold, notes)
    with store.database.writing() as session:
        writer = ImportWriter(session, store, {member for folder in folders for member in folder.members})
        writer.add_all(checked)
        writer.add_personas(personas)
        writer.add_project(held)
        writer.add_folders(folders, limits)
        if writer.documents:
            check_document_count(session, store.owner, limits)
    writer.report.notes += notes
    return writer.report


def _held(
    project: Mapping[str, Any], limits: DocumentSettings, hold: Hold | None, notes: list[str]
) -> Mapping[str, Any]:
    """A project with what of its backend, model and tools holds here. Raises ExchangeError for its documents."""
    check_project(project, limits)
    return {**project, **(NOTHING_HELD if hold is None else hold(project, notes))}


def _checked(conversation: Mapping[str, Any], limits: DocumentSettings | None = None) -> dict[str, Any]:
    """A conversation as it is written; what was here before and comes back has no limits. Raises ExchangeError."""
    valid = drop_dangling_sources(validate_conversation(conversation))
    if limits is not None:
        check_limits([valid], limits)
    return valid


def _comparable(form: Mapping[str, Any]) -> dict[str, Any]:
    """What tells a conversation from others: blanks around its title and its prompts do not."""
    return {**form, "title": form["title"].strip(), "system": (form["system"] or "").split()}


class ImportWriter:
    """One import: rows that wait to be written, and the ids that are taken."""

    def __init__(self, session: Session, store: Store, placed: Set[str] = frozenset()) -> None:
        """`placed`: ids of conversations that a project's are looked up by."""
        self.session, self.store, self.placed = session, store, placed
        self.new_ids: dict[str, str] = {}  # of those of them that were added
        self.report = ImportReport()
        self.rows: dict[Any, list[dict[str, Any]]] = {
            table.__table__: [] for table in (Conversation, Message, Feedback, Summary, ToolCall)
        }
        self.letters = 0  # of messages that wait
        self.documents = 0  # written
        self.last_id: int | None = None  # number given, on SQLite
        self.taken: set[str] = set()

    def add_all(self, conversations: Iterable[Mapping[str, Any]]) -> None:
        """Write those that are not there already; few are in memory at once."""
        coming = iter(conversations)
        while some := list(islice(coming, AT_ONCE)):
            ids = [conversation["id"] for conversation in some]
            self.taken |= set(self.session.scalars(select(Conversation.id).where(Conversation.id.in_(ids))))
            for conversation in some:
                self._add(conversation)
        self.flush()

    def _add(self, conversation: Mapping[str, Any]) -> None:
        """Find an id, and write where it is not there already."""
        for identity in self._candidate_ids(conversation):
            if identity not in self.taken:
                break
            self.flush()
            if self._is_unchanged(identity, conversation):
                self.report.skipped.append(identity)
                return
        if (known := self._find_earlier(conversation)) is not None:
            self.report.skipped.append(known)
            return
        self._queue(identity, conversation)
        self.taken.add(identity)
        self.report.added.append(identity)
        if conversation["id"] in self.placed:
            self.new_ids[conversation["id"]] = identity
        if identity != conversation["id"]:
            self.report.renamed.append(identity)

    def add_personas(self, personas: Iterable[Persona]) -> None:
        """Save personas; one that is there is left alone, and another one of its slug gets a new slug."""
        owned = self.session.scalars(select(SavedPersona).where(SavedPersona.owner == self.store.owner))
        there = {row.slug: (row.name, tuple(row.sentences)) for row in owned}
        for persona in personas:
            if (persona.name, persona.sentences) in there.values():
                continue
            slug, number = persona.slug, 2
            while slug in there:
                slug, number = f"{persona.slug}-{number}", number + 1
            there[slug] = (persona.name, persona.sentences)
            fields = {**persona.to_dict(), "slug": slug, "owner": self.store.owner, "created": time.time()}
            fields.pop("foreign", None)
            self.session.add(SavedPersona(**fields, imported=True))
            self.report.personas.append(persona.name)

    def add_project(self, project: Mapping[str, Any] | None) -> None:
        """Save a project around what was added."""
        if project is not None:
            name = save_project(self.session, self.store, project, self.report.added)
            self.report.projects += [name] if name else []
            self.documents += len(project["documents"])

    def add_folders(self, folders: Iterable[Folder], limits: DocumentSettings) -> None:
        """Save another program's projects around what was added of them; documents that are too many are named."""
        self.session.flush()
        for folder in folders:
            added = [self.new_ids[member] for member in folder.members if member in self.new_ids]
            if save_folder(self.session, self.store, folder.project, added, limits, self.report.notes):
                self.report.projects.append(folder.project["name"])

    def flush(self) -> None:
        """Write what waits: conversations first, then what hangs on them."""
        for table, rows in self.rows.items():
            if rows:
                self.session.execute(insert(table), rows)
                rows.clear()
        self.letters = 0

    def _candidate_ids(self, conversation: Mapping[str, Any]) -> Iterator[str]:
        """The ids it may get, the best first."""
        yield conversation["id"]
        again = digest(conversation, self.store.owner)
        if self.session.get(Conversation, again) is not None:
            self.taken.add(again)
        yield again
        yield stores.new_conversation_id()

    def _is_unchanged(self, identity: str, conversation: Mapping[str, Any]) -> bool:
        row = self.session.get_one(Conversation, identity)
        is_owned = row.owner == self.store.owner
        return is_owned and _comparable(serialize(self.session, row)) == _comparable({**conversation, "id": identity})

    def _find_earlier(self, conversation: Mapping[str, Any]) -> str | None:
        """The conversation under the id that an earlier version made of it, with the blanks that it kept."""
        if conversation["system"] is None or (conversation["extra"] or {}).get("source") not in KEPT_BLANKS:
            return None
        times = {name: conversation[name] for name in ("pinned", "updated", "created")}
        query = select(Conversation.id).filter_by(owner=self.store.owner, **times).limit(MAX_TWINS)
        return next((each for each in self.session.scalars(query) if self._is_unchanged(each, conversation)), None)

    def _queue(self, identity: str, conversation: Mapping[str, Any]) -> None:
        """Queue the rows of a conversation, and write where many wait, or where something hangs on them."""
        imported = conversation["messages"]
        numbers = self._reserve_ids(len(imported))
        head = None if conversation["head"] is None else numbers[conversation["head"]]
        fields = {name: value for name, value in conversation.items() if name not in {"messages", "documents"}}
        beside = {"id": identity, "owner": self.store.owner, "imported": conversation["system"] is not None}
        fields = {**NOTHING_SET, **fields, **beside, "head": head}
        fields["persona"] = fields["persona"] and {**fields["persona"], "foreign": True}
        self.rows[Conversation.__table__].append(fields)
        for number, message in zip(numbers, imported, strict=True):
            parent = None if message["parent"] is None else numbers[message["parent"]]
            self._queue_message(message, {"id": number, "conversation_id": identity, "parent_id": parent})
        has_pictures = any("pictures" in message for message in imported)
        is_much = len(self.rows[Message.__table__]) >= BATCH or self.letters >= BATCH_LETTERS
        if is_much or conversation.get("documents") or has_pictures:
            self.flush()
        if has_pictures:
            save_pictures(self.session, conversation, self.store.owner, numbers)
        self.documents += save_documents(self.session, conversation, identity, self.store.owner, numbers)

    def _queue_message(self, message: Mapping[str, Any], place: Mapping[str, Any]) -> None:
        """Queue a message and what hangs on it; all its rows have all columns."""
        number, thinking = place["id"], message.get("thinking") or ""
        row = {name: value for name, value in message.items() if name not in NOT_COLUMNS}
        beside = {"thinking_folded": searched_words(thinking), "imported": True}
        _, messages, feedback, summaries, calls = self.rows.values()
        messages.append({**dict.fromkeys(THINKING), **row, **place, **beside})
        calls += [{**NO_CALL, **call, "message_id": number} for call in message.get("calls", ())]
        feedback += [{**message["feedback"], "message_id": number}] if message["feedback"] else []
        summaries += [{**summary, "message_id": number} for summary in message["summaries"]]
        self.letters += len(message["text"]) + len(thinking)

    def _reserve_ids(self, count: int) -> Sequence[int]:
        """Numbers for new messages, rising, so that parents and children can be written in one go."""
        if not self.store.database.sqlite:
            taken_ids = text("SELECT nextval(pg_get_serial_sequence('message', 'id')) FROM generate_series(1, :count)")
            return sorted(self.session.scalars(taken_ids, {"count": count}))
        if self.last_id is None:  # nobody else writes during this transaction
            self.last_id = self.session.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'message'")) or 0
        self.last_id += count
        return range(self.last_id - count + 1, self.last_id + 1)
