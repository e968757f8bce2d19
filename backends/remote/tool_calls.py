"""Calls of tools in a reply, as OpenAI sends them in pieces: place, id and name once, then arguments. Knows JSON."""

import json
from collections.abc import Mapping
from typing import Any

from backends.remote.surrogates import repair_surrogates


class ToolCalls:
    """The calls that a reply has begun."""

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}  # by place
        self._names: dict[int, str] = {}

    def read(self, calls: Any) -> list[dict[str, Any]]:
        """The pieces that a chunk brings; what is no call is passed over."""
        pieces = calls if isinstance(calls, list) else [calls]
        return [self._read_call(call) for call in pieces if isinstance(call, dict) and call]

    def _read_call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        nested = call.get("function")
        function = nested if isinstance(nested, dict) else call  # OpenAI's old function_call has it outside
        key, name = _text(call.get("id")), _text(function.get("name"))
        place = self._place(call.get("index"), key, name)
        piece: dict[str, Any] = {"index": place, "type": "function", "function": {"arguments": _arguments(function)}}
        if key and place not in self._ids:
            piece["id"] = self._ids[place] = key
        if name and place not in self._names:
            piece["function"]["name"] = self._names[place] = name
        return piece

    def _place(self, index: Any, key: str, name: str) -> int:
        """The place that a call names, else that of its id, else a new one where it begins, else the last."""
        if isinstance(index, int) and not isinstance(index, bool):
            return index
        known = next((place for place, other in self._ids.items() if key and other == key), None)
        if known is not None:
            return known
        last = max([-1, *self._ids, *self._names])
        return last + 1 if key or name or last < 0 else last


def merge_tool_calls(pieces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whole calls, made from their pieces."""
    calls: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        blank = {"id": f"call_{piece['index']}", "type": "function", "function": {"name": "", "arguments": ""}}
        call = calls.setdefault(piece["index"], blank)
        call["id"] = piece.get("id", call["id"])
        call["function"]["name"] = piece["function"].get("name", call["function"]["name"])
        call["function"]["arguments"] += piece["function"]["arguments"]
    return [calls[place] for place in sorted(calls)]


def _arguments(function: Mapping[str, Any]) -> str:
    told = function.get("arguments")
    if told is None:
        return ""
    return repair_surrogates(told) if isinstance(told, str) else json.dumps(told, ensure_ascii=False)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
