"""A conversation as Anthropic's clients send it, as LangChain's messages: one block may be a message of its own.

Results of tools stand in a message of the user's there, and are messages of the tool here; turns of one speaker are
one. Knows blocks and messages; what a picture or a document holds it is told.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import tool_call

from api.anthropic.blocks import (
    Content,
    Readable,
    RedactedThinkingBlock,
    ResultPart,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from api.http.calls import check_results, drop_empty_end
from api.http.errors import ApiError
from api.http.open_model import OpenModel
from chains.thinking import KEY, kept

Part = dict[str, Any]  # a block of LangChain's
Read = Callable[[Readable], Part]
BETWEEN = "\n\n"  # two turns of one speaker


class InputMessage(OpenModel):
    """One turn: a text, or blocks of it."""

    role: Literal["user", "assistant", "system"]
    content: Content


def system_text(system: str | Sequence[TextBlock] | None) -> str:
    """The system prompt, its blocks a paragraph each."""
    return system or "" if isinstance(system, str | None) else BETWEEN.join(block.text for block in system)


def to_langchain_messages(
    system: str | Sequence[TextBlock] | None, messages: Sequence[InputMessage], read: Read
) -> list[BaseMessage]:
    """The messages for the chain, `read` giving what a block holds.

    Raises ApiError 400 for a block of the other speaker's and a result without its call, and what `read` raises.
    """
    first = [SystemMessage(text)] if (text := system_text(system)) else []
    turns = chain.from_iterable(_turn(place, message, read) for place, message in enumerate(messages))
    found = drop_empty_end([*first, *_joined(turns)])
    check_results(found, "messages")
    return found


def _turn(place: int, message: InputMessage, read: Read) -> Iterator[BaseMessage]:
    if message.role == "assistant":
        yield _assistant(place, message.content)
    elif message.role == "system":
        yield _system(place, message.content)
    elif isinstance(message.content, str):
        yield HumanMessage(message.content)
    else:
        yield from _user(place, message.content, read)


def _system(place: int, content: Content) -> SystemMessage:
    """What the client's program says in the middle of a conversation."""
    if isinstance(content, str):
        return SystemMessage(content)
    for block in content:
        if not isinstance(block, TextBlock):
            raise _misplaced(place, block.type, "user")
    return SystemMessage(system_text([block for block in content if isinstance(block, TextBlock)]))


def _user(place: int, blocks: Sequence[Any], read: Read) -> Iterator[BaseMessage]:
    """The user's message, and before what he says the results that stand before it."""
    said: list[Part] = []
    for block in blocks:
        if isinstance(block, ToolResultBlock):
            if said:
                yield _human(said)
            said = []
            yield _result(block, read)
        elif isinstance(block, ToolUseBlock | ThinkingBlock | RedactedThinkingBlock):
            raise _misplaced(place, block.type, "assistant")
        else:
            said.append(read(block))
    if said or not blocks:
        yield _human(said)


def _human(parts: Sequence[Part]) -> HumanMessage:
    """What a user says: a string where it is text alone."""
    return HumanMessage(_content(parts))


def _content(parts: Sequence[Part]) -> Any:
    is_text = all(part["type"] == "text" for part in parts)
    return "".join(part["text"] for part in parts) if is_text else list(parts)


def _result(block: ToolResultBlock, read: Read) -> ToolMessage:
    """What a tool gave and showed: a string where it is text alone."""
    given: str | Sequence[ResultPart] = block.content or ""
    parts = [{"type": "text", "text": given}] if isinstance(given, str) else [read(each) for each in given]
    status: Literal["error", "success"] = "error" if block.is_error else "success"
    return ToolMessage(_content(parts), tool_call_id=block.tool_use_id, status=status)


def _assistant(place: int, content: Content) -> AIMessage:
    """What the assistant said, thought and called."""
    if isinstance(content, str):
        return AIMessage(content)
    for block in content:
        if not isinstance(block, TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock):
            raise _misplaced(place, block.type, "user")
    text = "".join(block.text for block in content if isinstance(block, TextBlock))
    thought = BETWEEN.join(block.thinking for block in content if isinstance(block, ThinkingBlock))
    calls = [tool_call(name=b.name, args=b.input, id=b.id) for b in content if isinstance(b, ToolUseBlock)]
    return AIMessage(text, tool_calls=calls, additional_kwargs=kept(thought))


def _misplaced(place: int, kind: str, role: str) -> ApiError:
    text = f"messages.{place}.content: a block {kind} belongs into a message of the {role}'s."
    return ApiError(400, text, code="invalid_value", param=f"messages.{place}.content")


def _joined(messages: Iterator[BaseMessage]) -> Iterator[BaseMessage]:
    """The messages, those of one speaker that follow each other in one; results stay apart."""
    last: BaseMessage | None = None
    for message in messages:
        if last is not None and last.type == message.type and message.type in {"human", "ai"}:
            last = _both(last, message)
            continue
        if last is not None:
            yield last
        last = message
    if last is not None:
        yield last


def _both(first: BaseMessage, second: BaseMessage) -> BaseMessage:
    if isinstance(first, AIMessage) and isinstance(second, AIMessage):
        thought = BETWEEN.join(filter(None, (m.additional_kwargs.get(KEY) for m in (first, second))))
        calls = [*first.tool_calls, *second.tool_calls]
        return AIMessage(f"{first.text}{second.text}", tool_calls=calls, additional_kwargs=kept(thought))
    if isinstance(first.content, str) and isinstance(second.content, str):
        return HumanMessage(BETWEEN.join(filter(None, (first.content, second.content))))
    return HumanMessage(content=[*_parts(first), *_parts(second)])


def _parts(message: BaseMessage) -> list[Any]:
    return [{"type": "text", "text": message.content}] if isinstance(message.content, str) else message.content
