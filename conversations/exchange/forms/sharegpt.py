"""ShareGPT's form, in which many collections of dialogues come: turns of `from` and `value`.

Knows that form and ours.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain as joined
from typing import Any

from conversations.exchange.branches import Node
from conversations.exchange.chat import is_message, read_chat
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.whole import build_conversation

ROLES = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "assistant", "chatgpt", "bot", "model", "bing", "bard", "claude", "llm"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
    **dict.fromkeys(("observation", "function_response", "tool", "tool_response", "function"), "tool"),
    "system": "system",
}
LISTS = ("conversations", "conversation", "items", "dialogue", "turns")


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations, or a turn of one."""
    return _is_turn(item) or any(_has_turns(item.get(name)) for name in LISTS)


def _is_turn(value: Any) -> bool:
    return isinstance(value, dict) and "from" in value and "value" in value


def _has_turns(value: Any) -> bool:
    return isinstance(value, list) and any(_is_turn(each) or is_message(each) for each in value)


def gather(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """The conversations; where a file is one alone, its turns are put together."""
    first = next(iterator := iter(items), None)
    if not _is_turn(first):
        yield from joined([] if first is None else [first], iterator)
        return
    around = {name: value for name, value in source.around.items() if name not in LISTS}
    yield {**around, "conversations": [first, *iterator]}


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    turns = fields.take(*LISTS)
    if not isinstance(turns, list):
        raise ExchangeError(f"conversations: should be a list of turns ({preview(turns)})")
    messages = [_message(each) if _is_turn(each) else each for each in turns]
    nodes, last = read_chat(messages, source, fields.text("model") or None)
    for name in ("chosen", "rejected"):
        if _is_turn(other := fields.take(name)):
            branch, _ = read_chat([_message(other)], source)
            nodes[name] = Node(last, [], branch["0"].message)
    return build_conversation(
        nodes,
        "chosen" if "chosen" in nodes else last,
        source="sharegpt",
        ids=[fields.text("id")],
        title=fields.text("title"),
        created=fields.time("created_at", "timestamp"),
        system=[fields.text("system", "system_prompt")],
        extra=fields.rest(),
    )


def _message(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn in OpenAI's language."""
    fields = Fields(turn)
    who, value = fields.text("from"), fields.take("value")
    role = ROLES.get(who.lower(), who)
    rest = fields.rest()
    if role != "call":
        return {**rest, "role": role or "unknown", "content": value}
    called: Any = value
    with suppress(ValueError, RecursionError, TypeError):
        called = json.loads(value)
    calls = called if isinstance(called, list) else [called]
    named = [Fields(each if isinstance(each, dict) else {"name": "unknown", "arguments": value}) for each in calls]
    functions = [{"name": each.text("name"), "arguments": each.take("arguments", "parameters") or {}} for each in named]
    return {**rest, "role": "assistant", "content": None, "tool_calls": [{"function": each} for each in functions]}


FORM = Form("ShareGPT", recognizes, convert, gather)
