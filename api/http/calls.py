"""A chat's messages and the calls of its tools, whichever family of clients sends them. Knows LangChain's alone."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk

from api.http.errors import ApiError


def check_results(messages: Sequence[BaseMessage], param: str) -> None:
    """Raise ApiError 400 where a result of a tool follows no call that it is of."""
    called: set[str | None] = set()
    for message in messages:
        if isinstance(message, AIMessage):
            called |= {call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls)}
        elif isinstance(message, ToolMessage) and message.tool_call_id not in called:
            name = message.tool_call_id[:100]
            text = f"{param}: the result of the call {name!r} follows no such call. Send the call before it."
            raise ApiError(400, text, code="invalid_value", param=param)


def _is_empty(message: BaseMessage) -> bool:
    calls = isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls)
    return message.type == "ai" and not message.text and not calls


def drop_empty_end(messages: list[BaseMessage]) -> list[BaseMessage]:
    """The messages without empty ones of the assistant at the end: it is still to speak."""
    while len(messages) > 1 and _is_empty(messages[-1]):
        messages = messages[:-1]
    return messages


def parse_arguments(text: str) -> dict[str, Any] | None:
    """A call's arguments, which are JSON as text; None where that is no object, or was cut off."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def joined(pieces: Sequence[ToolCallChunk]) -> Iterator[ToolCallChunk]:
    """The pieces, what came meanwhile of one call's arguments in one."""
    last: ToolCallChunk | None = None
    for piece in pieces:
        if last is not None and piece["index"] == last["index"] and not piece["name"] and not piece["id"]:
            last = {**last, "args": (last["args"] or "") + (piece["args"] or "")}
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def whole(pieces: Sequence[ToolCallChunk]) -> list[ToolCallChunk]:
    """The calls that these pieces make, in order; one that no piece names has an id of its place."""
    calls: dict[int, ToolCallChunk] = {}
    for piece in pieces:
        place = piece["index"] or 0
        call = calls.setdefault(place, tool_call_chunk(name="", args="", id=f"call_{place}", index=place))
        call["id"] = piece["id"] or call["id"]
        call["name"] = piece["name"] or call["name"]
        call["args"] = (call["args"] or "") + (piece["args"] or "")
    return [calls[place] for place in sorted(calls)]
