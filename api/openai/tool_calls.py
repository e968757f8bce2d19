"""Calls of tools as OpenAI's clients have them, whole and in pieces, and its choices among tools.

The tools are the client's: nothing is carried out here. Knows no route.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import InvalidToolCall
from langchain_core.messages.tool import ToolCall, ToolCallChunk
from pydantic import BaseModel

from api.http.calls import parse_arguments, whole

Choice = str | dict[str, Any]


class FunctionCall(BaseModel):
    """Name and arguments, which are JSON as text."""

    name: str
    arguments: str


class MessageToolCall(BaseModel):
    """A call in an assistant's message."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


def read_calls(calls: Sequence[MessageToolCall]) -> dict[str, Any]:
    """The arguments with which LangChain's message of the assistant holds these calls."""
    valid, invalid = list[ToolCall](), list[InvalidToolCall]()
    for call in calls:
        name, arguments = call.function.name, parse_arguments(call.function.arguments)
        if arguments is None:
            raw = call.function.arguments
            invalid.append(InvalidToolCall(name=name, args=raw, id=call.id, error=None, type="invalid_tool_call"))
        else:
            valid.append(ToolCall(name=name, args=arguments, id=call.id, type="tool_call"))
    return {"tool_calls": valid, "invalid_tool_calls": invalid}


def whole_calls(pieces: Sequence[ToolCallChunk]) -> list[MessageToolCall]:
    """The calls that these pieces make, in order."""
    return [
        MessageToolCall(
            id=call["id"] or "", function=FunctionCall(name=call["name"] or "", arguments=call["args"] or "")
        )
        for call in whole(pieces)
    ]


def call_delta(piece: ToolCallChunk) -> dict[str, Any]:
    """A piece of a call as a chunk has it."""
    function: dict[str, Any] = {"name": piece["name"]} if piece["name"] else {}
    begun = {"id": piece["id"], "type": "function"} if piece["id"] else {}
    return {"index": piece["index"] or 0, **begun, "function": {**function, "arguments": piece["args"] or ""}}


def flat_tools(tools: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Tools of responses, whose functions are flat, as chat has them; others as they are."""
    return (
        None if tools is None else [_nested(tool) if tool.get("type") == "function" else dict(tool) for tool in tools]
    )


def flat_choice(choice: Choice | None) -> Choice | None:
    """A choice of responses as chat has it."""
    if not isinstance(choice, dict):
        return choice
    if choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice.get("name")}}
    if choice.get("type") == "allowed_tools":
        allowed = {"mode": choice.get("mode", "auto"), "tools": flat_tools(choice.get("tools"))}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    return choice


def _nested(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {name: value for name, value in tool.items() if name != "type" and value is not None}
    return {"type": "function", "function": tool.get("function", function)}
