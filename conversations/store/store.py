"""The store of one owner: his conversations, and nobody else's. Knows tables; nothing of models, pages or jobs.

What does not belong to the owner is not found, whatever is asked about it.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, delete, or_, select, text, update
from sqlalchemy.orm import Session

from conversations.store.citations import Source, sources_of
from conversations.store.database import Database, connect
from conversations.store.schema import IS_LIVE, Conversation, Document, Feedback, Message, State, Summary
from conversations.store.tree import Tree
from settings import Settings

STALE = 10.0  # seconds without a heartbeat after which a reply's process is taken for dead
TITLE = 60  # characters


class NotFoundError(LookupError):
    """There is no such conversation or message, or it belongs to somebody else."""


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


@dataclass(frozen=True)
class Store:
    """The conversations of `owner` in `database`."""

    database: Database
    owner: str

    def listing(self, limit: int = 50, offset: int = 0) -> list[Conversation]:
        """Pinned ones first, then by their last message."""
        order = (Conversation.pinned.desc(), Conversation.updated.desc())
        with self.database.reading() as session:
            return list(session.scalars(self.mine().order_by(*order).limit(limit).offset(offset)))

    def get(self, identity: str) -> Conversation:
        """Raises NotFoundError."""
        with self.database.reading() as session:
            return self.found(session, identity)

    def thread(self, identity: str, last: int = 50) -> Thread:
        """The last messages of the shown branch. Raises NotFoundError."""
        sweep(self.database)
        with self.database.reading() as session:
            conversation = self.found(session, identity)
            tree = tree_of(session, identity)
            path = tree.path(conversation.head)
            shown = path[-last:]
            rows = {m.id: m for m in session.scalars(select(Message).where(Message.id.in_(shown)))}
            said = session.scalars(select(Feedback).where(Feedback.message_id.in_(shown)))
            return Thread(
                conversation,
                [rows[number] for number in shown],
                len(path) - len(shown),
                {number: beside for number in shown if len(beside := tree.siblings(number)) > 1},
                {feedback.message_id: feedback for feedback in said},
                summary_of(session, identity, path),
                sources_of(session, shown),
            )

    def message(self, number: int) -> Message:
        """Raises NotFoundError."""
        with self.database.reading() as session:
            return self.owned(session, number)

    def branch(self, number: int) -> list[int]:
        """The shown branch of this message's conversation, which may be another than its own. Raises NotFoundError."""
        with self.database.reading() as session:
            conversation = self.found(session, self.owned(session, number).conversation_id)
            return tree_of(session, conversation.id).path(conversation.head)

    def change(self, identity: str, **fields: Any) -> None:
        """Set title, pinned, system, persona. Raises NotFoundError."""
        with self.database.writing() as session:
            conversation = self.locked(session, identity)
            for name, value in fields.items():
                setattr(conversation, name, value)

    def choose(self, number: int) -> None:
        """Show the branch of this message, to its newest end. Raises NotFoundError."""
        with self.database.writing() as session:
            message = self.owned(session, number)
            conversation = self.locked(session, message.conversation_id)
            conversation.head = tree_of(session, conversation.id).leaf(number)

    def delete(self, identity: str) -> None:
        """Delete a conversation with all that hangs on it; replies in it end. Raises NotFoundError."""
        with self.database.writing() as session:
            self.locked(session, identity)
            session.execute(delete(Conversation).where(Conversation.id == identity))

    def empty(self, identity: str, **fields: Any) -> None:
        """Delete what was said in a conversation, and its documents; set `fields`. Replies in it end.

        Raises NotFoundError.
        """
        with self.database.writing() as session:
            conversation = self.locked(session, identity)
            session.execute(delete(Message).where(Message.conversation_id == identity))
            session.execute(delete(Document).where(Document.conversation_id == identity))
            for name, value in {"head": None, "title": "", **fields}.items():
                setattr(conversation, name, value)

    def rate(self, number: int, value: int | None, comment: str = "") -> None:
        """Thumb up (1) or down (-1) with a comment; None takes it back. Raises NotFoundError."""
        with self.database.writing() as session:
            self.locked(session, self.owned(session, number).conversation_id)
            session.execute(delete(Feedback).where(Feedback.message_id == number))
            if value is not None:
                session.add(Feedback(message_id=number, value=value, comment=comment, created=time.time()))

    def mine(self) -> Select[Conversation]:
        """The owner's conversations."""
        return select(Conversation).where(Conversation.owner == self.owner)

    def found(self, session: Session, identity: str) -> Conversation:
        """A conversation of the owner. Raises NotFoundError."""
        return self._one(session, self.mine(), identity)

    def locked(self, session: Session, identity: str) -> Conversation:
        """The same, held until the writing session ends, so that turns come one after the other."""
        return self._one(session, self.mine().with_for_update(), identity)

    def _one(self, session: Session, query: Select[Conversation], identity: str) -> Conversation:
        found = session.scalars(query.where(Conversation.id == identity)).first()
        if found is None:
            raise NotFoundError(f"There is no conversation {identity!r} of yours.")
        return found

    def owned(self, session: Session, number: int) -> Message:
        """A message of the owner. Raises NotFoundError."""
        query = select(Message).join(Conversation).where(Message.id == number, Conversation.owner == self.owner)
        found = session.scalar(query)
        if found is None:
            raise NotFoundError(f"There is no message {number} of yours.")
        return found


def sweep(database: Database) -> None:
    """Mark the replies whose process died as interrupted, whoever owns them."""
    now = database.now()
    dead = or_(Message.heartbeat < now - STALE, Message.heartbeat > now + STALE)  # a clock may be set back
    with database.reading() as session:
        if session.scalar(select(Message.id).where(live(), dead).limit(1)) is None:
            return
    with database.writing() as session:
        session.execute(update(Message).where(live(), dead).values(state=State.INTERRUPTED))


def live() -> Any:
    """The condition that `message_live` indexes."""
    return text(IS_LIVE)


def tree_of(session: Session, identity: str) -> Tree:
    """All messages of a conversation, without their texts."""
    query = select(Message.id, Message.parent_id).where(Message.conversation_id == identity)
    return Tree((number, parent) for number, parent in session.execute(query))


def summary_of(session: Session, identity: str, path: Sequence[int]) -> Summary | None:
    """The newest summary that stands for messages of this branch of a conversation."""
    query = select(Summary).join(Message).where(Message.conversation_id == identity)
    on_path = set(path)
    found = [s for s in session.scalars(query) if s.message_id in on_path]
    return max(found, key=lambda s: (s.messages, s.id), default=None)


def identity() -> str:
    """A new conversation's id, which nobody guesses."""
    return secrets.token_urlsafe(16)


def title(message: str) -> str:
    """The first line of the first message, cut at a word."""
    line = " ".join(next(iter(message.strip().splitlines()), "").split())
    return line if len(line) <= TITLE else line[:TITLE].rsplit(" ", 1)[0] + "…"


def store(settings: Settings, owner: str) -> Store:
    """The store that DATABASE_URL names. Raises DatabaseError where it cannot be opened."""
    return Store(connect(settings.database_url), owner)
