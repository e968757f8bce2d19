"""Conversations in our JSON form into the tables. Knows tables; no file and no other format.

Everything is checked before anything is written, then all is written in one transaction.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from conversations.exchange.citations import bounded, settled
from conversations.exchange.documents import counted, keep
from conversations.exchange.exporter import form_of
from conversations.exchange.schema import digest, one
from conversations.store import store as stores
from conversations.store.schema import Conversation, Feedback, Message, Summary
from conversations.store.store import Store
from documents.settings import Limits

BATCH = 2000  # messages that are written at once
NAMES = 500  # ids that are looked up at once
BESIDE = {"number", "parent", "feedback", "summaries", "sources"}  # of a message's form, not in its table


@dataclass
class Report:
    """The ids of what was imported, of those that had to get a new one, and of what was there unchanged."""

    added: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def load(store: Store, conversation: Mapping[str, Any]) -> str:
    """Write one conversation in one transaction; returns its id here. Raises ExchangeError, and nothing is written."""
    report = _load(store, [conversation], None)
    return (report.added or report.skipped)[0]


def load_all(store: Store, conversations: Iterable[Mapping[str, Any]]) -> Report:
    """Write all of them, or nothing. Raises ExchangeError, also for documents beyond the limits, and SettingsError.

    An id is kept where it is free. What is there unchanged is skipped; where the id is taken by somebody else, or by a
    conversation that has changed, the imported one gets a new id (the same one when it is imported again).
    """
    return _load(store, conversations, Limits.read())


def _load(store: Store, conversations: Iterable[Mapping[str, Any]], limits: Limits | None) -> Report:
    """What was here before and comes back has no limits."""
    checked = [settled(one(conversation)) for conversation in conversations]
    if limits is not None:
        bounded(checked, limits)
    with store.database.writing() as session:
        writing = _Writing(session, store, checked)
        for conversation in checked:
            writing.place(conversation)
        writing.flush()
        if limits is not None and writing.documents:
            counted(session, store.owner, limits)
    return writing.report


class _Writing:
    """One import: rows that wait to be written, and the ids that are taken."""

    def __init__(self, session: Session, store: Store, conversations: Sequence[Mapping[str, Any]]) -> None:
        self.session, self.store = session, store
        self.report = Report()
        self.rows: dict[Any, list[dict[str, Any]]] = {
            table.__table__: [] for table in (Conversation, Message, Feedback, Summary)
        }
        self.documents = 0  # written
        self.last: int | None = None  # number given, on SQLite
        self.taken: set[str] = set()
        wanted = [c["id"] for c in conversations]
        for start in range(0, len(wanted), NAMES):
            some = Conversation.id.in_(wanted[start : start + NAMES])
            self.taken |= set(session.scalars(select(Conversation.id).where(some)))

    def place(self, conversation: Mapping[str, Any]) -> None:
        """Find an id, and write where it is not there already."""
        for identity in self._names(conversation):
            if identity not in self.taken:
                break
            self.flush()
            if self._same(identity, conversation):
                self.report.skipped.append(identity)
                return
        self._add(identity, conversation)
        self.taken.add(identity)
        self.report.added.append(identity)
        if identity != conversation["id"]:
            self.report.renamed.append(identity)

    def flush(self) -> None:
        """Write what waits: conversations first, then what hangs on them."""
        for table, rows in self.rows.items():
            if rows:
                self.session.execute(insert(table), rows)
                rows.clear()

    def _names(self, conversation: Mapping[str, Any]) -> Iterator[str]:
        """The ids it may get, the best first."""
        yield conversation["id"]
        again = digest(conversation, self.store.owner)
        if self.session.get(Conversation, again) is not None:
            self.taken.add(again)
        yield again
        yield stores.identity()

    def _same(self, identity: str, conversation: Mapping[str, Any]) -> bool:
        found = self.session.get_one(Conversation, identity)
        mine = found.owner == self.store.owner
        return mine and form_of(self.session, found) == {**conversation, "id": identity}

    def _add(self, identity: str, conversation: Mapping[str, Any]) -> None:
        """Queue the rows of a conversation."""
        said = conversation["messages"]
        numbers = self._numbers(len(said))
        head = None if conversation["head"] is None else numbers[conversation["head"]]
        kept = {name: value for name, value in conversation.items() if name not in {"messages", "documents"}}
        conversations, messages, feedback, summaries = self.rows.values()
        conversations.append({**kept, "id": identity, "owner": self.store.owner, "head": head})
        for number, message in zip(numbers, said, strict=True):
            parent = None if message["parent"] is None else numbers[message["parent"]]
            row = {name: value for name, value in message.items() if name not in BESIDE}
            messages.append({**row, "id": number, "conversation_id": identity, "parent_id": parent})
            feedback += [{**message["feedback"], "message_id": number}] if message["feedback"] else []
            summaries += [{**summary, "message_id": number} for summary in message["summaries"]]
        if len(messages) >= BATCH or conversation.get("documents"):
            self.flush()
        self.documents += keep(self.session, conversation, identity, self.store.owner, numbers)

    def _numbers(self, count: int) -> Sequence[int]:
        """Numbers for new messages, rising, so that parents and children can be written in one go."""
        if not self.store.database.sqlite:
            taken = text("SELECT nextval(pg_get_serial_sequence('message', 'id')) FROM generate_series(1, :count)")
            return sorted(self.session.scalars(taken, {"count": count}))
        if self.last is None:  # nobody else writes during this transaction
            self.last = self.session.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'message'")) or 0
        self.last += count
        return range(self.last - count + 1, self.last + 1)
