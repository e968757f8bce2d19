"""The store of one owner: his conversations, and nobody else's. Knows tables; nothing of models, pages or jobs.

What does not belong to the owner is not found, whatever is asked about it.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from conversations.store import pictures
from conversations.store.calls import has_left_calls, read_calls, sweep_calls
from conversations.store.citations import Source, read_sources
from conversations.store.database import Database, connect
from conversations.store.link_table import SharedLink
from conversations.store.pictures import PictureInfo
from conversations.store.project_table import Project
from conversations.store.schema import (
    IS_LIVE,
    CallStatus,
    Conversation,
    Document,
    Feedback,
    Message,
    State,
    Summary,
    ToolCall,
)
from conversations.store.tree import Tree
from documents.pictures.picture import Picture
from settings import Settings

HEARTBEAT_TIMEOUT = 10.0  # seconds without a heartbeat after which a reply's process is taken for dead
MAX_TITLE = 60  # characters
deletion_listeners: list[Callable[[Database, str], None]] = []  # called with the id of what lost something for good


class NotFoundError(LookupError):
    """There is no such conversation, message or project, or it belongs to somebody else."""


@dataclass(frozen=True)
class Thread:
    """The shown branch of a conversation: its last messages, and what is drawn beside them."""

    conversation: Conversation
    messages: list[Message]
    earlier: int = 0  # messages of the branch before these
    branches: dict[int, list[int]] = field(default_factory=dict)  # of each message with alternatives, all of them
    feedback: dict[int, Feedback] = field(default_factory=dict)
    summary: Summary | None = None  # the newest one on this branch
    sources: dict[int, list[Source]] = field(default_factory=dict)  # passages that replies were made from
    calls: dict[int, list[ToolCall]] = field(default_factory=dict)  # of tools, by their reply
    pictures: dict[int, list[PictureInfo]] = field(default_factory=dict)  # by their message


@dataclass(frozen=True)
class Store:
    """The conversations of `owner` in `database`."""

    database: Database
    owner: str

    def listing(self, limit: int = 50, offset: int = 0) -> list[Conversation]:
        """Pinned ones first, then by their last message."""
        order = (Conversation.pinned.desc(), Conversation.updated.desc())
        with self.database.reading() as session:
            return list(session.scalars(self.query().order_by(*order).limit(limit).offset(offset)))

    def get(self, conversation_id: str) -> Conversation:
        """A conversation of the owner. Raises NotFoundError."""
        with self.database.reading() as session:
            return self.conversation_row(session, conversation_id)

    def thread(self, conversation_id: str, last: int = 50) -> Thread:
        """The last messages of the shown branch. Raises NotFoundError."""
        sweep(self.database)
        with self.database.reading() as session:
            conversation = self.conversation_row(session, conversation_id)
            tree = read_tree(session, conversation_id)
            path = tree.path(conversation.head)
            shown_ids = path[-last:]
            rows = {m.id: m for m in session.scalars(select(Message).where(Message.id.in_(shown_ids)))}
            feedback_rows = session.scalars(select(Feedback).where(Feedback.message_id.in_(shown_ids)))
            return Thread(
                conversation,
                [rows[number] for number in shown_ids],
                len(path) - len(shown_ids),
                {number: beside for number in shown_ids if len(beside := tree.siblings(number)) > 1},
                {feedback.message_id: feedback for feedback in feedback_rows},
                newest_summary(session, conversation_id, path),
                read_sources(session, shown_ids),
                read_calls(session, shown_ids),
                pictures.read(session, shown_ids),
            )

    def message(self, message_id: int) -> Message:
        """A message of the owner. Raises NotFoundError."""
        with self.database.reading() as session:
            return self.message_row(session, message_id)

    def sources(self, message_id: int) -> list[Source]:
        """The passages that a reply was made from, best first; none for a message of somebody else."""
        with self.database.reading() as session:
            owned = select(Message.id).join(Conversation).where(Message.id == message_id)
            if session.scalar(owned.where(Conversation.owner == self.owner)) is None:
                return []
            return read_sources(session, [message_id]).get(message_id, [])

    def calls(self, message_id: int) -> list[ToolCall]:
        """The calls of tools in a reply, in order; none for a message of somebody else."""
        sweep(self.database)
        with self.database.reading() as session:
            owned = select(Message.id).join(Conversation).where(Message.id == message_id)
            if session.scalar(owned.where(Conversation.owner == self.owner)) is None:
                return []
            return read_calls(session, [message_id]).get(message_id, [])

    def picture(self, digest: str) -> Picture:
        """A picture in some message of the owner. Raises NotFoundError."""
        with self.database.reading() as session:
            found = pictures.find(session, self.owner, digest)
        if found is None:
            raise NotFoundError("There is no such picture of yours.")
        return found

    def call_row(self, session: Session, number: int) -> ToolCall:
        """A call of the owner. Raises NotFoundError."""
        query = select(ToolCall).join(Message).join(Conversation)
        row = session.scalar(query.where(ToolCall.id == number, Conversation.owner == self.owner))
        if row is None:
            raise NotFoundError(f"There is no call {number} of yours.")
        return row

    def calls_of(self, conversation_id: str) -> list[ToolCall]:
        """All calls in a conversation of the owner, oldest first."""
        query = select(ToolCall).join(Message).join(Conversation).where(Conversation.owner == self.owner)
        with self.database.reading() as session:
            return list(session.scalars(query.where(Conversation.id == conversation_id).order_by(ToolCall.id)))

    def waiting_calls(self, conversation_id: str | None = None) -> list[ToolCall]:
        """The owner's calls that wait for him, oldest first; of one conversation where it is named."""
        sweep(self.database)
        query = select(ToolCall).join(Message).join(Conversation).where(Conversation.owner == self.owner)
        query = query.where(ToolCall.status == CallStatus.WAITING)
        if conversation_id is not None:
            query = query.where(Conversation.id == conversation_id)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(ToolCall.id)))

    def newest_chat(self, project_id: str | None = None) -> Conversation | None:
        """The chat in which somebody wrote last, of a project where it is named, no comparison; None without one."""
        query = self.query().where(Conversation.kind == "chat").order_by(Conversation.updated.desc()).limit(1)
        if project_id is not None:
            query = query.where(Conversation.project_id == project_id)
        with self.database.reading() as session:
            return session.scalars(query).first()

    def recent_questions(self, limit: int) -> list[str]:
        """The texts of the owner's last `limit` messages in all his conversations, newest first, each once."""
        query = select(Message.text).join(Conversation)
        query = query.where(Conversation.owner == self.owner, Message.role == "user")
        with self.database.reading() as session:
            return list(dict.fromkeys(session.scalars(query.order_by(Message.id.desc()).limit(limit))))

    def branch(self, message_id: int) -> list[int]:
        """The shown branch of this message's conversation, which may be another than its own. Raises NotFoundError."""
        with self.database.reading() as session:
            conversation = self.conversation_row(session, self.message_row(session, message_id).conversation_id)
            return read_tree(session, conversation.id).path(conversation.head)

    def update(self, conversation_id: str, **fields: Any) -> None:
        """Set title, pinned, system, persona, project; a system prompt that is set no file has brought.

        Raises NotFoundError.
        """
        if "system" in fields:
            fields = {"imported": False, **fields}
        with self.database.writing() as session:
            self._hold_project(session, fields)  # before the conversation, as who deletes a project locks them
            conversation = self.lock_conversation(session, conversation_id)
            for name, value in fields.items():
                setattr(conversation, name, value)

    def select_branch(self, message_id: int) -> None:
        """Show the branch of this message, to its newest end. Raises NotFoundError."""
        with self.database.writing() as session:
            message = self.message_row(session, message_id)
            conversation = self.lock_conversation(session, message.conversation_id)
            conversation.head = read_tree(session, conversation.id).leaf(message_id)

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation with all that hangs on it; replies in it end. Raises NotFoundError."""
        with self.database.writing() as session:
            self.lock_conversation(session, conversation_id)
            session.execute(delete(Conversation).where(Conversation.id == conversation_id))
        announce_deletion(self.database, conversation_id)

    def clear(self, conversation_id: str, **fields: Any) -> None:
        """Delete the messages of a conversation, its documents, links to it, and what was always or never allowed in
        it; set `fields`. Replies in it end.

        Raises NotFoundError.
        """
        with self.database.writing() as session:
            conversation = self.lock_conversation(session, conversation_id)
            session.execute(delete(Message).where(Message.conversation_id == conversation_id))
            session.execute(delete(Document).where(Document.conversation_id == conversation_id))
            session.execute(delete(SharedLink).where(SharedLink.conversation_id == conversation_id))
            for name, value in {"head": None, "title": "", "grants": None, **fields}.items():
                setattr(conversation, name, value)
        announce_deletion(self.database, conversation_id)

    def rate(self, message_id: int, value: int | None, comment: str = "") -> None:
        """Thumb up (1) or down (-1) with a comment; None takes it back. Raises NotFoundError."""
        with self.database.writing() as session:
            self.lock_conversation(session, self.message_row(session, message_id).conversation_id)
            session.execute(delete(Feedback).where(Feedback.message_id == message_id))
            if value is not None:
                session.add(Feedback(message_id=message_id, value=value, comment=comment, created=time.time()))

    def create(self, session: Session, **fields: Any) -> Conversation:
        """An empty conversation of the owner, with a new id and no title unless `fields` name them.

        Raises NotFoundError for a project.
        """
        self._hold_project(session, fields)
        now = time.time()
        conversation = Conversation(
            **{"id": new_conversation_id(), "title": "", **fields}, owner=self.owner, created=now, updated=now
        )
        session.add(conversation)
        session.flush()
        return conversation

    def ensure(self, session: Session, conversation_id: str | None, **fields: Any) -> Conversation:
        """This conversation, locked; without an id a new one with `fields`. Raises NotFoundError."""
        if conversation_id is None:
            return self.create(session, **fields)
        return self.lock_conversation(session, conversation_id)

    @contextmanager
    def ensured(self, conversation_id: str | None, **fields: Any) -> Iterator[str]:
        """The id of this conversation, or of a new one with `fields`, which is deleted where the block fails.

        Raises NotFoundError.
        """
        if conversation_id is not None:
            yield self.get(conversation_id).id
            return
        with self.database.writing() as session:
            created = self.create(session, **fields).id
        try:
            yield created
        except BaseException:  # Ctrl-C leaves nothing behind either
            with suppress(NotFoundError):  # somebody else may have deleted it meanwhile
                self.delete(created)
            raise

    def query(self) -> Select[Conversation]:
        """The owner's conversations."""
        return select(Conversation).where(Conversation.owner == self.owner)

    def conversation_row(self, session: Session, conversation_id: str) -> Conversation:
        """A conversation of the owner. Raises NotFoundError."""
        return self._row(session, self.query(), conversation_id)

    def lock_conversation(self, session: Session, conversation_id: str) -> Conversation:
        """A conversation of the owner, locked until the writing session ends: turns come one after the other."""
        return self._row(session, self.query().with_for_update(), conversation_id)

    def _row(self, session: Session, query: Select[Conversation], conversation_id: str) -> Conversation:
        row = session.scalars(query.where(Conversation.id == conversation_id)).first()
        if row is None:
            raise NotFoundError(f"There is no conversation {conversation_id!r} of yours.")
        return row

    def project_row(self, session: Session, project_id: str, locked: bool = False, kept: bool = False) -> Project:
        """A project of the owner; `locked` until the writing session ends, or `kept` from being deleted until then.

        Raises NotFoundError.
        """
        query = select(Project).where(Project.id == project_id, Project.owner == self.owner)
        if locked or kept:
            query = query.with_for_update(read=kept, key_share=kept)
        row = session.scalar(query)
        if row is None:
            raise NotFoundError(f"There is no project {project_id!r} of yours.")
        return row

    def _hold_project(self, session: Session, fields: Mapping[str, Any]) -> None:
        """Keep the project that the fields name from going while the session writes. Raises NotFoundError."""
        if fields.get("project_id") is not None:
            self.project_row(session, fields["project_id"], kept=True)

    def message_row(self, session: Session, message_id: int) -> Message:
        """A message of the owner. Raises NotFoundError."""
        query = select(Message).join(Conversation).where(Message.id == message_id, Conversation.owner == self.owner)
        row = session.scalar(query)
        if row is None:
            raise NotFoundError(f"There is no message {message_id} of yours.")
        return row


def announce_deletion(database: Database, conversation_id: str) -> None:
    """Tell who keeps something beside the tables that a conversation, or a part of it, was deleted."""
    for listener in deletion_listeners:
        listener(database, conversation_id)


def count_by_owner(database: Database) -> dict[str, int]:
    """How many conversations each owner has, who has most first."""
    count = func.count()
    query = select(Conversation.owner, count).group_by(Conversation.owner).order_by(count.desc(), Conversation.owner)
    with database.reading() as session:
        return dict(session.execute(query).all())


def sweep(database: Database) -> None:
    """Mark the replies whose process died as interrupted, whoever owns them, and bring calls of tools in order."""
    now = database.now()
    dead = or_(
        Message.heartbeat < now - HEARTBEAT_TIMEOUT, Message.heartbeat > now + HEARTBEAT_TIMEOUT
    )  # a clock may be set back
    with database.reading() as session:
        is_left = session.scalar(select(Message.id).where(is_live(), dead).limit(1)) is not None
        if not is_left and not has_left_calls(session):
            return
    with database.writing() as session:
        session.execute(update(Message).where(is_live(), dead).values(state=State.INTERRUPTED))
        sweep_calls(session)


def is_live() -> Any:
    """The condition that `message_live` indexes."""
    return text(IS_LIVE)


def read_tree(session: Session, conversation_id: str) -> Tree:
    """All messages of a conversation, without their texts."""
    query = select(Message.id, Message.parent_id).where(Message.conversation_id == conversation_id)
    return Tree((number, parent) for number, parent in session.execute(query))


def newest_summary(session: Session, conversation_id: str, path: Sequence[int]) -> Summary | None:
    """The newest summary that stands for messages of this branch of a conversation."""
    query = select(Summary).join(Message).where(Message.conversation_id == conversation_id)
    on_path = set(path)
    summaries = [s for s in session.scalars(query) if s.message_id in on_path]
    return max(summaries, key=lambda s: (s.messages, s.id), default=None)


def new_conversation_id() -> str:
    """A new conversation's id, which nobody guesses."""
    return secrets.token_urlsafe(16)


def make_title(message: str) -> str:
    """The first line of the first message, cut at a word."""
    line = " ".join(next(iter(message.strip().splitlines()), "").split())
    return line if len(line) <= MAX_TITLE else line[:MAX_TITLE].rsplit(" ", 1)[0] + "…"


def open_store(settings: Settings, owner: str) -> Store:
    """The store that DATABASE_URL names. Raises DatabaseError where it cannot be opened."""
    return Store(connect(settings.database_url), owner)
