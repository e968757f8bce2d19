"""Passages in a prompt: they wait beside the question until the model's window is known, and what fits is written in.

Knows messages and LangChain's documents; nothing of files or of how passages are found.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from prompts.passages import place, quote_passages

HELD = "passages"  # where a message holds them until then
EMPTY = Document("", metadata={"file": ""})
Count = Callable[[Sequence[BaseMessage]], int]


class Inserted(NamedTuple):
    """The messages as the model reads them; which passages stand in them, and how many were found."""

    messages: list[BaseMessage]
    passages: list[Document]
    found: int


def attach(asked: BaseMessage, found: Sequence[Document]) -> BaseMessage:
    """The question with its passages beside it, best first."""
    return asked.model_copy(update={"additional_kwargs": {**asked.additional_kwargs, HELD: tuple(found)}})


def question_message(inputs: dict[str, Any]) -> list[BaseMessage]:
    """`{"context": [documents], "input": str}` to the last message of the prompt."""
    return [attach(HumanMessage(inputs["input"]), inputs["context"])]


def question_text(inputs: dict[str, Any]) -> str:
    """What `{"messages": [messages]}` asks with the last message of a person; nothing where there is none."""
    at = _question_index(inputs["messages"])
    return "" if at is None else str(inputs["messages"][at].text)


def attach_to_question(inputs: dict[str, Any]) -> list[BaseMessage]:
    """`{"context": [documents], "messages": [messages]}` to the messages, the passages beside that one."""
    messages, at = list(inputs["messages"]), _question_index(inputs["messages"])
    if at is not None:
        messages[at] = attach(messages[at], inputs["context"])
    return messages


def _question_index(messages: Sequence[BaseMessage]) -> int | None:
    return next((at for at in range(len(messages) - 1, -1, -1) if messages[at].type == "human"), None)


def location(passage: Document) -> str:
    """Where it stands, in words."""
    return place(str(passage.metadata["file"]), passage.metadata.get("page"))


def insert(messages: Sequence[BaseMessage], count: Count, free: int | None) -> Inserted:
    """As many passages as fit, the best ones, go into the message that holds them; the others go.

    `free` is the room in tokens; of what system prompt, rules and question leave of it, half is for what was said
    before. None where nobody knows.
    """
    at = next((at for at, message in enumerate(messages) if HELD in message.additional_kwargs), None)
    if at is None:
        return Inserted(list(messages), [], 0)
    head = [message for message in messages[:1] if message.type == "system"]
    before, asked, after = messages[len(head) : at], messages[at], messages[at + 1 :]
    found: list[Document] = list(asked.additional_kwargs[HELD])
    limit = None if free is None else min(free, (free + count(_render(head, asked, [EMPTY]))) // 2)

    def over(number: int) -> bool:
        return limit is not None and count(_render(head, asked, found[:number])) > limit

    kept = found[: bisect_left(range(1, len(found) + 1), True, key=over)]
    *system, said = _render(head, asked, kept)
    return Inserted([*system, *before, said, *after], kept, len(found))


def _render(head: Sequence[BaseMessage], asked: BaseMessage, passages: Sequence[Document]) -> list[BaseMessage]:
    """The system prompt, where there is one, and the question below these passages."""
    others = {name: value for name, value in asked.additional_kwargs.items() if name != HELD}
    bare = asked.model_copy(update={"additional_kwargs": others})
    if not passages:
        return [*head, bare]
    made = quote_passages(str(asked.text), [(location(each), each.page_content) for each in passages])
    system = "\n\n".join([*(str(message.text) for message in head), made.rules])
    told = head[0].model_copy(update={"content": system}) if head else SystemMessage(system)
    return [told, bare.model_copy(update={"content": _replace_text(asked.content, made.question)})]


def _replace_text(content: str | list[Any], asked: str) -> str | list[Any]:
    """The content with this in the place of its texts; pictures and the like stay."""
    if isinstance(content, str):
        return asked
    texts = [part for part in content if isinstance(part, str) or part.get("type") == "text"]
    return [{"type": "text", "text": asked}, *(part for part in content if part not in texts)]
