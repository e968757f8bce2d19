"""DeepSeek's conversations.json: ChatGPT's tree, whose messages have fragments. Knows that form and ours."""

from typing import Any

from conversations.exchange.branches import Node
from conversations.exchange.draft import Draft
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields
from conversations.exchange.form import Form, Source
from conversations.exchange.whole import build_conversation

KINDS = {"REQUEST": "user", "RESPONSE": "assistant", "THINK": "assistant"}


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    mapping = item.get("mapping")
    nodes = mapping.values() if isinstance(mapping, dict) else ()
    messages = (node.get("message") for node in nodes if isinstance(node, dict))
    return any(isinstance(message, dict) and "fragments" in message for message in messages)


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    mapping = fields.take("mapping")
    if not isinstance(mapping, dict | None):
        raise ExchangeError(f"mapping: should be an object ({preview(mapping)})")
    nodes = {at: _node(value, source) for at, value in (mapping or {}).items()}
    newest = next(reversed(nodes), None)  # which of the branches was open is not told
    return build_conversation(
        nodes,
        newest,
        source="deepseek",
        ids=[fields.text("id")],
        title=fields.text("title"),
        created=fields.time("inserted_at"),
        updated=fields.time("updated_at"),
        extra=fields.rest(),
    )


def _node(value: Any, source: Source) -> Node:
    node = Fields(value)
    children = [child for child in node.items("children") if isinstance(child, str)]
    written = node.object("message")
    return Node(node.text("parent") or None, children, _message(Fields(written), source) if written else None)


def _message(fields: Fields, source: Source) -> dict[str, Any] | None:
    fragments = [Fields(each) for each in fields.items("fragments") if isinstance(each, dict)]
    kinds = [each.text("type") for each in fragments]
    draft = Draft(
        next((KINDS[kind] for kind in kinds if kind in KINDS), "tool"), fields.time("inserted_at"), fields.text("model")
    )
    for kind, fragment in zip(kinds, fragments, strict=True):
        words = fragment.text("content")
        if kind == "THINK":
            draft.think(words)
        elif kind in KINDS:
            draft.say(words)
        else:
            draft.beside.setdefault(kind.lower() or "fragments", []).append(fragment.rest() | {"content": words})
    for file in fields.items("files"):
        draft.attach("file", Fields(file).text("file_name", "name"))
        source.lose("files")
    draft.keep(fields.rest())
    return draft.message()


FORM = Form("DeepSeek", recognizes, convert)
