"""What the web page of llama.cpp's server exports, as JSON, as lines, or as the database of its older versions.

Knows that form and ours. Calls of tools, their results and what is said then are messages of their own there.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.branches import Node, unused_name
from conversations.exchange.draft import Draft, join_calls
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.think import split_thinking
from conversations.exchange.whole import build_conversation

ROLES = {"user", "assistant", "system", "tool"}
COUNTS = {"prompt_n": "prompt_tokens", "predicted_n": "completion_tokens", "predicted_ms": "duration_ms"}
COUNTS |= {"predicted_per_second": "tokens_per_second", "prompt_ms": "ttft_ms"}


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations, a line of one, or a table of its database."""
    if "conv" in item and "messages" in item:
        return True
    is_line = item.get("type") == "session" and ("currNode" in item or "lastModified" in item)
    return is_line or (item.get("tableName") in ("conversations", "messages") and "rows" in item)


def gather(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """The conversations, each with its messages."""
    session: dict[str, Any] | None = None
    tables: dict[str, list[Any]] = {}
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "session":
            if session is not None:
                yield session
            session = {"conv": item, "messages": []}
        elif kind == "message" and session is not None:
            session["messages"].append(item.get("message"))
        elif isinstance(item, dict) and "tableName" in item:
            tables[str(item["tableName"])] = item["rows"] if isinstance(item.get("rows"), list) else []
        else:
            yield item
    if session is not None:
        yield session
    yield from _joined(tables)


def _joined(tables: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """The conversations of a database's tables."""
    messages: dict[str, list[Any]] = {}
    for row in tables.get("messages", []):
        messages.setdefault(str(Fields(row).take("convId")), []).append(row)
    for row in tables.get("conversations", []):
        yield {"conv": row, "messages": messages.get(str(Fields(row).take("id")), [])}


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields, written = Fields(item.get("conv")), item.get("messages")
    if not isinstance(written, list):
        raise ExchangeError(f"messages: should be a list ({preview(written)})")
    nodes: dict[str, Node] = {}
    answers: dict[str, tuple[str, str]] = {}
    for number, value in enumerate(each for each in written if isinstance(each, dict)):
        name = unused_name(str(number if value.get("id") is None else value["id"]), nodes)
        draft = _draft(value, source)
        if draft.role == "tool" and value.get("toolCallId"):
            answers[name] = str(value["toolCallId"]), draft.text
        parent = value.get("parent")
        children = [str(each) for each in Fields(value).items("children")]
        nodes[name] = Node(None if parent in (None, "", -1) else str(parent), children, draft.message())
    current = fields.take("currNode")
    fields.drop("type", "harness")
    return build_conversation(
        join_calls(nodes, answers),
        next(reversed(nodes), None) if current is None else str(current),
        source="llama.cpp",
        ids=[str(fields.take("id") or "")],
        title=fields.text("name"),
        updated=fields.time("lastModified"),
        pinned=fields.flag("pinned"),
        extra=fields.rest(),
    )


def _draft(value: dict[str, Any], source: Source) -> Draft:
    fields = Fields(value)
    role = fields.text("role")
    draft = Draft(role if role in ROLES else "tool", fields.time("timestamp"), fields.text("model") or None)
    text = fields.text("content")
    if role == "assistant":
        thought, text = split_thinking(text)
        draft.think(fields.text("reasoningContent", "thinking") or thought)
    draft.say(text if fields.text("type") != "root" else "")
    for call in _calls(fields.take("toolCalls")):
        function = Fields(call.object("function"))
        draft.call(call.text("id"), function.text("name"), function.take("arguments") or {})
    for extra in fields.items("extra"):
        _add_file(draft, Fields(extra), source)
    timings = fields.object("timings")
    draft.count(**{ours: timings.get(theirs) for theirs, ours in COUNTS.items()})
    fields.drop("id", "convId", "parent", "children", "toolCallId", "completionId", "reasoningContent", "thinking")
    draft.keep(fields.rest())
    return draft


def _calls(value: Any) -> list[Fields]:
    """The calls of a message: a list, or its JSON."""
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    return [Fields(each) for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _add_file(draft: Draft, file: Fields, source: Source) -> None:
    """What was attached: texts in full, of pictures and sounds the names."""
    kind, name, text = file.text("type").lower(), file.text("name"), file.text("content")
    if text:
        draft.attach_text(name, text)
        source.lose("pictures of PDFs' pages", len(file.items("images")))
        return
    known = next((each for each in ("image", "audio", "video") if each in kind), "file")
    attach(draft, source, known, name, held=file.take("base64Url", "base64Data"))


FORM = Form("llama.cpp's page", recognizes, convert, gather)
