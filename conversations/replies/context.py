"""What was said before a reply: the rows of its branch, and what of them a model hears. Knows records; no query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from conversations.store.schema import Message, State


@dataclass(frozen=True)
class BranchContext:
    """What a reply is made from: the branch up to the question, and what is said already where it goes on."""

    system: str | None
    history: list[Message]
    question: Message
    partial: str

    def inputs(self, after: int = 0) -> dict[str, Any]:
        """What the assistant's chain takes, without the first `after` messages of the branch."""
        partial = [AIMessage(self.partial)] if self.partial else []
        history = to_messages(self.history[self._next_question(after) :])
        return {"history": history, "input": self.question.text, "partial": partial}

    def hidden_counts(self, after: int = 0) -> list[int]:
        """How many messages of the branch are out of sight where the first 0, 1, 2… of `inputs` are dropped."""
        first = self._next_question(after)
        places = [first + at for at in visible_indexes(self.history[first:])]
        return [first, *places[1:], len(self.history)]

    def _next_question(self, at: int) -> int:
        """Where the first question after so many messages stands: none begins with the answer to one before it."""
        later = range(at, len(self.history))
        return next((i for i in later if self.history[i].role == "user"), len(self.history)) if at else 0


def to_messages(messages: Sequence[Message]) -> list[BaseMessage]:
    """Questions that got some answer, with it."""
    rows = [messages[at] for at in visible_indexes(messages)]
    return [HumanMessage(row.text) if row.role == "user" else AIMessage(row.text) for row in rows]


def visible_indexes(messages: Sequence[Message]) -> list[int]:
    """Where they stand."""
    pairs = zip(messages, [*messages, None][1:], strict=True)
    return [at for at, (message, after) in enumerate(pairs) if _is_visible(message, after)]


def _is_visible(message: Message, after: Message | None) -> bool:
    if message.role == "assistant":
        return _is_answer(message)
    unanswered = after is not None and after.role == "assistant" and not _is_answer(after)
    return message.role == "user" and bool(message.text) and not unanswered


def _is_answer(message: Message) -> bool:
    return bool(message.text) and message.state != State.FAILED
