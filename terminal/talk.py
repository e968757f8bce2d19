"""The conversation in a terminal that goes on: which it is, who speaks, and with what. Knows the store; no screen."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from conversations.replies import GenerationRequest, persona_to_dict, turn
from conversations.store import Conversation, Message, Store, read_sources
from documents.source import Source
from prompts.persona import Persona
from settings import SettingsError
from terminal.choice import Chosen

REMEMBERED = 200  # messages that the arrow keys bring back


@dataclass
class Talk:
    """`fields` are those of the next new conversation (persona, system); `identity` is None until something is said.

    `saved`: the files that this chat wrote, which it may write again.
    """

    store: Store
    chosen: Chosen
    options: Mapping[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    identity: str | None = None
    saved: set[Path] = field(default_factory=set)

    def send(self, text: str) -> Message:
        """Say something; returns the reply's row. Raises MessageError, NotFoundError, DatabaseError."""
        ask = GenerationRequest(self.chosen.settings, self.chosen.backend, {**self.options, **self.chosen.options})
        row = turn.send(self.store, self.identity, text, ask, self.fields)
        self.identity = row.conversation_id
        return row

    @contextmanager
    def begun(self) -> Iterator[str]:
        """The conversation's id; where it has not begun it does, unless the block fails. Raises NotFoundError."""
        before = self.identity
        with self.store.ensured(before, **self.fields) as self.identity:
            try:
                yield self.identity
            except BaseException:
                self.identity = before
                raise

    def sources(self, number: int) -> list[Source]:
        """The passages that a reply was made from, best first."""
        with self.store.database.reading() as session:
            return read_sources(session, [number]).get(number, [])

    def reset(self) -> bool:
        """A new conversation with the next message; False where nothing was said in this one."""
        begun, self.identity = self.identity is not None, None
        return begun

    def become(self, persona: Persona | None) -> bool:
        """Somebody else speaks, in a conversation of his own; whether one had begun."""
        self.fields = {} if persona is None else {"persona": persona_to_dict(persona)}
        return self.reset()

    def resume(self, found: Conversation) -> None:
        """Go on with this one. Raises SettingsError for a comparison."""
        if found.kind != "chat":
            raise SettingsError(f"{found.id} compares several backends: go on with it in the page.")
        self.identity = found.id
        self.fields = {"persona": found.persona, "system": found.system}

    def last(self) -> Conversation | None:
        """The conversation in which something was said last."""
        query = self.store.query().where(Conversation.kind == "chat").order_by(Conversation.updated.desc()).limit(1)
        with self.store.database.reading() as session:
            return session.scalars(query).first()

    def said(self) -> list[str]:
        """What the owner said in all his conversations, newest first, each once."""
        query = select(Message.text).join(Conversation)
        query = query.where(Conversation.owner == self.store.owner, Message.role == "user")
        with self.store.database.reading() as session:
            return list(dict.fromkeys(session.scalars(query.order_by(Message.id.desc()).limit(REMEMBERED))))
