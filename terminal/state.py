"""The conversation in a terminal that goes on: which it is, who speaks, and with what. Knows the store; no screen."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversations.replies import GenerationRequest, turn
from conversations.store import Conversation, Message, Store
from documents.source import Source
from prompts.persona import Persona
from settings import SettingsError
from terminal.target import Target

HISTORY_LENGTH = 200  # messages that the arrow keys bring back


@dataclass
class ChatState:
    """`new_fields` are those of the next conversation; `conversation_id` is None until something is sent.

    `written_files` are those that this chat wrote, which it may write again.
    """

    store: Store
    target: Target
    options: Mapping[str, Any] = field(default_factory=dict)
    new_fields: dict[str, Any] = field(default_factory=dict)
    conversation_id: str | None = None
    written_files: set[Path] = field(default_factory=set)

    def send(self, text: str) -> Message:
        """The row of the reply to a message that is sent. Raises MessageError, NotFoundError, DatabaseError."""
        request = GenerationRequest(self.target.settings, self.target.backend, self.options, self.target.model)
        row = turn.send(self.store, self.conversation_id, text, request, self.new_fields)
        self.conversation_id = row.conversation_id
        return row

    @contextmanager
    def ensure_conversation(self) -> Iterator[str]:
        """The conversation's id; where it has not begun it does, unless the block fails. Raises NotFoundError."""
        before = self.conversation_id
        with self.store.ensured(before, **self.new_fields) as self.conversation_id:
            try:
                yield self.conversation_id
            except BaseException:
                self.conversation_id = before
                raise

    def sources(self, message_id: int) -> list[Source]:
        """The passages that a reply was made from, best first."""
        return self.store.sources(message_id)

    def reset(self) -> bool:
        """Begin a new conversation with the next message; False where this one has none."""
        begun, self.conversation_id = self.conversation_id is not None, None
        return begun

    def set_persona(self, persona: Persona | None) -> bool:
        """Begin a new conversation with this persona; whether one had begun before."""
        self.new_fields = {} if persona is None else {"persona": persona.to_dict()}
        return self.reset()

    def resume(self, conversation: Conversation) -> None:
        """Go on with this one. Raises SettingsError for a comparison."""
        if conversation.kind != "chat":
            raise SettingsError(f"{conversation.id} compares several backends: go on with it in the page.")
        self.conversation_id = conversation.id
        self.new_fields = {"persona": conversation.persona, "system": conversation.system}

    def recent_questions(self) -> list[str]:
        """The owner's latest messages of all his conversations, newest first, each once."""
        return self.store.recent_questions(HISTORY_LENGTH)
