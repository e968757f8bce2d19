"""What stands before a reply: the messages of its branch, and which of them a model reads. Knows records; no query."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from conversations.store.schema import Message, State


@dataclass(frozen=True)
class Compaction:
    """A summary, and how many messages at the beginning of the branch it stands for."""

    messages: int = 0
    summary: str | None = None


@dataclass(frozen=True)
class BranchContext:
    """What a reply is made from: the branch up to the question, and the text it goes on with where it was cut.

    `documents` are the ids of the conversation's own, `stored` is the newest summary on the branch. `dropped` messages
    of it were in no prompt of the reply before. `whole`: the documents are read whole, where they fit.
    """

    system: str | None
    history: list[Message]
    question: Message
    partial: str
    documents: Sequence[str] = ()
    stored: Compaction = field(default_factory=Compaction)
    dropped: int = 0
    whole: bool = False

    @property
    def previous(self) -> Message | None:
        """The message before the question."""
        return self.history[-1] if self.history else None

    def inputs(self, after: int = 0) -> dict[str, Any]:
        """The inputs of the assistant's chain, without the first `after` messages of the branch."""
        first = self._next_question(after)
        history = [_to_message(self.history[at]) for at in self.visible if at >= first]
        partial = [AIMessage(self.partial)] if self.partial else []
        return {"history": history, "input": self.question.text, "partial": partial}

    def hidden_counts(self, after: int = 0) -> list[int]:
        """How many messages of the branch the model does not see, where the first 0, 1, 2… of `inputs` are dropped."""
        first = self._next_question(after)
        visible = [at for at in self.visible if at >= first]
        return [first, *visible[1:], len(self.history)]

    def dropped_before(self, after: int = 0) -> int:
        """How many of the first messages of `inputs` the prompt before was without."""
        return bisect_left(self.hidden_counts(after), self.dropped)

    @cached_property
    def visible(self) -> list[int]:
        """Where those messages of the history stand that a model reads."""
        return visible_indexes(self.history)

    def _next_question(self, at: int) -> int:
        """Where the first question after so many messages stands: none begins with the answer to one before it."""
        later = range(at, len(self.history))
        return next((i for i in later if self.history[i].role == "user"), len(self.history)) if at else 0


def up_to_question(branch: Sequence[Message]) -> Sequence[Message]:
    """The branch up to the last message that a person wrote: an import has tools' and hidden ones behind it."""
    asked = [at for at, message in enumerate(branch) if message.role == "user" and not message.hidden]
    return branch[: asked[-1] + 1] if asked else branch


def last_dropped(branch: Sequence[Message]) -> int:
    """How many messages of a branch its newest reply did not see; of one that goes on, when it began."""
    return next((message.dropped for message in reversed(branch) if message.prompt_tokens is not None), 0)


def to_messages(messages: Sequence[Message]) -> list[BaseMessage]:
    """Those of the records that a model reads, as LangChain's messages."""
    return [_to_message(messages[at]) for at in visible_indexes(messages)]


def visible_indexes(messages: Sequence[Message]) -> list[int]:
    """Where the questions that got some answer stand, and the answers."""
    following = [*(None if message.hidden else message for message in messages[1:]), None]
    return [at for at, message in enumerate(messages) if _is_visible(message, following[at])]


def _to_message(row: Message) -> BaseMessage:
    return HumanMessage(row.text) if row.role == "user" else AIMessage(row.text)


def _is_visible(message: Message, after: Message | None) -> bool:
    if message.hidden:
        return False
    if message.role == "assistant":
        return _is_answer(message)
    unanswered = after is not None and after.role == "assistant" and not _is_answer(after)
    return message.role == "user" and bool(message.text) and not unanswered


def _is_answer(message: Message) -> bool:
    return bool(message.text) and message.state != State.FAILED
