"""The conversation in a terminal that goes on: which it is, who speaks, and with what. Knows the store; no screen."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversations.replies import GenerationRequest, turn
from conversations.store import (
    NO_PERSONA,
    Conversation,
    Effective,
    Message,
    MessageError,
    Project,
    State,
    Store,
    projects,
    resolve,
)
from documents.pictures.picture import Picture
from documents.source import Source
from prompts.persona import Persona
from settings import SettingsError
from terminal.target import Target

CUT_SHORT = (State.STOPPED, State.INTERRUPTED, State.FAILED)
HISTORY_LENGTH = 200  # messages that the arrow keys bring back


@dataclass
class ChatState:
    """`new_fields` are those of the next conversation; `conversation_id` is None until something is sent.

    `written_files` are those that this chat wrote, which it may write again. `shows_thoughts`: what models think is
    printed as it comes. `is_picked`: somebody named what `target` is, so it goes before what a project names.
    `pictures` go with the next message.
    """

    store: Store
    target: Target
    options: Mapping[str, Any] = field(default_factory=dict)
    new_fields: dict[str, Any] = field(default_factory=dict)
    conversation_id: str | None = None
    written_files: set[Path] = field(default_factory=set)
    shows_thoughts: bool = False
    pictures: list[Picture] = field(default_factory=list)
    is_picked: bool = False

    @property
    def project(self) -> Project | None:
        """The project of the conversation, begun or not; None where it is in none. Raises NotFoundError."""
        project_id = (
            self.store.get(self.conversation_id).project_id
            if self.conversation_id is not None
            else self.new_fields.get("project_id")
        )
        return None if project_id is None else projects.get(self.store, project_id)

    @property
    def effective(self) -> Effective:
        """What holds in the conversation, begun or not. Raises NotFoundError."""
        if self.conversation_id is None:
            return resolve(self.new_fields, self.project)
        return projects.effective(self.store, self.store.get(self.conversation_id))

    @property
    def answering(self) -> Target:
        """What answers: what somebody named, else what the project names, else the usual. Raises SettingsError."""
        if self.is_picked or self.target.url is not None:
            return self.target
        chosen = self.effective
        return self.target if chosen.backend is None else self.target.with_backend(chosen.backend, chosen.model)

    @property
    def is_temporary(self) -> bool:
        """Whether nothing of it is kept."""
        return self.store.database.is_temporary

    @property
    def request(self) -> GenerationRequest:
        """With what replies are made now. Raises SettingsError where what the project names cannot answer."""
        target = self.answering
        return GenerationRequest(target.settings, target.backend, self.options, target.model)

    @property
    def tools(self) -> list[str]:
        """The names of the tools that are on."""
        return list(self.effective.tools)

    def set_tools(self, names: Sequence[str]) -> None:
        """Have these tools on, and no others; what was allowed or forbidden for good is asked about again."""
        if self.conversation_id is None:
            self.new_fields["tools"] = list(names)
        else:
            self.store.update(self.conversation_id, tools=list(names), grants=None)

    @property
    def effort(self) -> str | None:
        """How much the models are to think; None: as they do."""
        if self.conversation_id is None:
            return self.new_fields.get("reasoning_effort")
        return self.store.get(self.conversation_id).reasoning_effort

    def set_effort(self, effort: str | None) -> None:
        """Have the models think so much, in this conversation and in those that are begun after it."""
        self.new_fields["reasoning_effort"] = effort
        if self.conversation_id is not None:
            self.store.update(self.conversation_id, reasoning_effort=effort)

    def send(self, text: str) -> Message:
        """The row of the reply to a message that is sent. Raises MessageError, NotFoundError, DatabaseError."""
        row = turn.send(self.store, self.conversation_id, text, self.request, self.new_fields, self.pictures)
        self.conversation_id, self.pictures = row.conversation_id, []
        return row

    def go_on(self) -> Message:
        """The row of the last reply, which was cut short, and goes on. Raises MessageError, NotFoundError."""
        last = self.store.thread(self.conversation_id, 1).messages if self.conversation_id else []
        if not last or not can_go_on(last[0]):
            raise MessageError("/continue: the last reply of this conversation was not cut short.")
        return turn.continue_reply(self.store, last[0].id, self.request)

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

    def last_thinking(self) -> Message | None:
        """The newest reply of the shown branch that has thought; None where none has."""
        if self.conversation_id is None:
            return None
        return next((row for row in reversed(self.store.thread(self.conversation_id).messages) if row.thinking), None)

    def sources(self, message_id: int) -> list[Source]:
        """The passages that a reply was made from, best first."""
        return self.store.sources(message_id)

    def reset(self) -> bool:
        """Begin a new conversation with the next message; False where this one has none."""
        begun, self.conversation_id, self.pictures = self.conversation_id is not None, None, []
        return begun

    def set_persona(self, persona: Persona | None) -> bool:
        """Begin a new conversation with this persona, in the same project; whether one had begun before."""
        project = self.project
        kept = {"reasoning_effort": self.new_fields.get("reasoning_effort"), "project_id": project and project.id}
        none = {"persona": NO_PERSONA} if project is not None and project.persona else {}
        self.new_fields = {**kept, **(none if persona is None else {"persona": persona.to_dict()})}
        return self.reset()

    def open_project(self, project_id: str | None) -> bool:
        """Begin a new conversation in this project, or in none; whether one had begun before."""
        self.new_fields["project_id"] = project_id
        return self.reset()

    def resume(self, conversation: Conversation) -> None:
        """Go on with this one. Raises SettingsError for a comparison."""
        if conversation.kind != "chat":
            raise SettingsError(f"{conversation.id} compares several backends: go on with it in the page.")
        self.conversation_id = conversation.id
        names = ("persona", "system", "imported", "reasoning_effort", "project_id")
        self.new_fields = {name: getattr(conversation, name) for name in names}

    def recent_questions(self) -> list[str]:
        """The owner's latest messages of all his conversations, newest first, each once."""
        return self.store.recent_questions(HISTORY_LENGTH)


def can_go_on(row: Message) -> bool:
    """Whether a reply was cut short, behind its first words or inside its thinking."""
    cut = row.state in CUT_SHORT or row.stop_reason == "length"
    return row.role == "assistant" and cut and bool(row.text or row.thinking)
