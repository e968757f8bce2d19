"""Passages in a prompt: they wait with the question until the model's window is known, and what fits is written in.

Knows messages and LangChain's documents; nothing of files or of how passages are found.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import Field

from prompts.passages import format_location, quote_passages

EMPTY = Document("", metadata={"file": ""})
Count = Callable[[Sequence[BaseMessage]], int]


class DocumentQuestion(HumanMessage):
    """A question on its way to the window, with the passages found for it, best first; no model is given one.

    `whole` are all sections of the files, to be read in place of passages where the window holds them.
    """

    passages: Sequence[Document] = Field((), exclude=True)
    whole: Sequence[Document] = Field((), exclude=True)


class Inserted(NamedTuple):
    """The messages as the model reads them; which passages stand in them, and how many were found.

    `whole`: they are all sections of the files, and `place_whole` has still to write them into the first question.
    `excess` is how many tokens the files are too long for that, None where nobody asked for them whole.
    """

    messages: list[BaseMessage]
    passages: list[Document]
    matches: int
    whole: bool = False
    excess: int | None = None


def attach(question: BaseMessage, passages: Sequence[Document], whole: Sequence[Document] = ()) -> DocumentQuestion:
    """The question with its passages, best first, and all sections of the files where they are to be read whole."""
    return DocumentQuestion(
        content=question.content,
        additional_kwargs=question.additional_kwargs,
        name=question.name,
        id=question.id,
        passages=tuple(passages),
        whole=tuple(whole),
    )


def question_message(inputs: dict[str, Any], whole: Sequence[Document] = ()) -> list[BaseMessage]:
    """`{"context": [documents], "input": str}` to the last message of the prompt; with pictures it is there as
    `question`.
    """
    [question] = inputs.get("question") or [HumanMessage(inputs["input"])]
    return [attach(question, inputs["context"], whole)]


def question_text(inputs: dict[str, Any]) -> str:
    """The last message of a person among `{"messages": [messages]}`; empty where there is none."""
    at = _question_index(inputs["messages"])
    return "" if at is None else str(inputs["messages"][at].text)


def attach_to_question(inputs: dict[str, Any], whole: Sequence[Document] = ()) -> list[BaseMessage]:
    """`{"context": [documents], "messages": [messages]}` to the messages, that one with the passages."""
    messages, at = list(inputs["messages"]), _question_index(inputs["messages"])
    if at is not None:
        messages[at] = attach(messages[at], inputs["context"], whole)
    return messages


def _question_index(messages: Sequence[BaseMessage]) -> int | None:
    return next((at for at in range(len(messages) - 1, -1, -1) if messages[at].type == "human"), None)


def location(passage: Document) -> str:
    """File and place in it, for people."""
    return format_location(str(passage.metadata["file"]), passage.metadata.get("place"))


def insert(messages: Sequence[BaseMessage], count: Count, free: int | None, most: int | None = None) -> Inserted:
    """As many passages as fit, the best ones and `most` of them, written into the question that has them.

    `free` is the room in tokens; of what system prompt, rules and question leave of it, half is for earlier messages
    before. None where nobody knows.
    """
    at = next((at for at, message in enumerate(messages) if isinstance(message, DocumentQuestion)), None)
    if at is None:
        return Inserted(list(messages), [], 0)
    question = messages[at]
    assert isinstance(question, DocumentQuestion)
    # 1. The system prompt takes the rules, the question the passages; what stands between them does not change.
    head = [message for message in messages[:1] if message.type == "system"]
    before, after = messages[len(head) : at], messages[at + 1 :]
    excess = _excess(head, question, count, free)
    if excess is not None and excess <= 0:
        rules = _render(head, question, question.whole)[:-1]
        return Inserted([*rules, *before, _plain(question), *after], list(question.whole), len(question.whole), True)
    # 2. Half of what is left beside rules and question is for passages.
    limit = None if free is None else min(free, (free + count(_render(head, question, [EMPTY]))) // 2)

    def is_over(number: int) -> bool:
        return limit is not None and count(_render(head, question, question.passages[:number])) > limit

    # 3. The largest number of them that stays below it.
    number = bisect_left(range(1, len(question.passages[:most]) + 1), True, key=is_over)
    passages = list(question.passages[:number])
    *system, rendered = _render(head, question, passages)
    return Inserted([*system, *before, rendered, *after], passages, len(question.passages), excess=excess)


def place_whole(messages: Sequence[BaseMessage], sections: Sequence[Document]) -> list[BaseMessage]:
    """The messages with all sections above the first question: there they stay while a conversation goes on, so that
    what was computed of them serves the next prompt.
    """
    at = next((at for at, message in enumerate(messages) if message.type == "human"), None)
    if at is None:
        return list(messages)
    return [*messages[:at], _render([], messages[at], sections)[-1], *messages[at + 1 :]]


def _excess(head: Sequence[BaseMessage], question: DocumentQuestion, count: Count, free: int | None) -> int | None:
    """By how many tokens the whole files do not fit beside the question; 0 where they do, None where nobody asks."""
    if not question.whole:
        return None
    return 0 if free is None else max(0, count(_render(head, question, question.whole)) - free)


def _plain(question: BaseMessage) -> HumanMessage:
    """The question as a message like any other."""
    kwargs = question.additional_kwargs
    return HumanMessage(question.content, additional_kwargs=kwargs, name=question.name, id=question.id)


def _render(head: Sequence[BaseMessage], question: BaseMessage, passages: Sequence[Document]) -> list[BaseMessage]:
    """The system prompt, where there is one, and the question below these passages."""
    content, rules = question.content, ""
    if passages:
        quoted = quote_passages(str(question.text), [(location(each), each.page_content) for each in passages])
        content, rules = _replace_text(content, quoted.question), quoted.rules
    human = HumanMessage(content, additional_kwargs=question.additional_kwargs, name=question.name, id=question.id)
    if not rules:
        return [*head, human]
    system = "\n\n".join([*(str(message.text) for message in head), rules])
    return [head[0].model_copy(update={"content": system}) if head else SystemMessage(system), human]


def _replace_text(content: str | list[Any], text: str) -> str | list[Any]:
    """The content with this in the place of its texts; pictures and the like stay."""
    if isinstance(content, str):
        return text
    texts = [part for part in content if isinstance(part, str) or part.get("type") == "text"]
    return [{"type": "text", "text": text}, *(part for part in content if part not in texts)]
