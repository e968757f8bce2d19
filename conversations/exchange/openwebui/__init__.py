"""What Open WebUI exports: a list of chats with a history of messages by id. Knows that format and our form.

Older chats have only a plain list of messages, and the oldest ones are no more than what stands under `chat` today.
What has no place in our form stands in `extra`, by Open WebUI's own names.
"""

from typing import Any

from conversations.exchange.branches import Node
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields, is_empty
from conversations.exchange.openwebui.message import convert_message
from conversations.exchange.whole import build_conversation

__all__ = ["convert", "is_chat"]
OLDER = ("title", "models", "timestamp", "system", "params")  # what stood beside the oldest lists of messages


def is_chat(item: dict[str, Any]) -> bool:
    """Whether this is one of its chats, of any age."""
    if "chat" in item or (isinstance(item.get("history"), dict) and "messages" in item["history"]):
        return True
    listed = item.get("messages")
    has_roles = isinstance(listed, list) and any(isinstance(each, dict) and "role" in each for each in listed)
    return has_roles and any(name in item for name in OLDER)


def convert(item: dict[str, Any]) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    outer = Fields(item if "chat" in item else {"id": item.get("id"), "chat": item})
    chat = outer.take("chat")
    if not isinstance(chat, dict | None):
        raise ExchangeError(f"chat: should be an object ({preview(chat)})")
    inner = Fields(chat)
    params = Fields(inner.object("params"))
    titles = [outer.text("title"), inner.text("title")]
    models = [name for name in inner.items("models") if isinstance(name, str)]
    nodes, head = _nodes(inner, models[0] if len(models) == 1 else None)
    prompts = [params.text("system"), inner.text("system")]
    inner.drop("id")
    return build_conversation(
        nodes,
        head,
        source="open-webui",
        ids=[outer.text("id")],
        title=next(filter(str.strip, titles), ""),
        created=outer.time("created_at", "timestamp") or inner.time("timestamp", "created_at"),
        updated=outer.time("updated_at"),
        pinned=outer.flag("pinned"),
        system=prompts,
        extra=_extra(outer, inner, params, models),
    )


def _extra(outer: Fields, inner: Fields, params: Fields, models: list[str]) -> dict[str, Any]:
    """What stands beside the messages: tags, folder, archived, models, settings; files as their names."""
    outer.drop("user_id")
    inner.drop("timestamp", "created_at")
    names = [Fields(each).text("name", "filename", "id") for each in inner.items("files")]
    beside = {"models": models, "params": params.rest(), "files": [name for name in names if name]}
    return {**inner.rest(), **outer.rest(), **{n: v for n, v in beside.items() if v}}


def _nodes(chat: Fields, model: str | None) -> tuple[dict[str, Node], str | None]:
    """The tree of a chat; a plain list is a tree without branches. `model` is that of replies which name none."""
    history, listed = Fields(chat.object("history")), chat.items("messages")
    tree = history.take("messages")
    if isinstance(tree, list):
        tree = {str(each.get("id") or at): each for at, each in enumerate(tree) if isinstance(each, dict)}
    if not is_empty(tree) and not isinstance(tree, dict):
        raise ExchangeError(f"chat.history.messages: should be an object ({preview(tree)})")
    if tree:
        nodes = {at: _node(message, model) for at, message in tree.items()}
        return nodes, history.text("currentId", "current_id") or None
    names = [str(position) for position in range(len(listed))]
    nodes = {
        name: Node(before, [], convert_message(message, model))
        for name, before, message in zip(names, [None, *names[:-1]], listed, strict=False)
    }
    return nodes, names[-1] if names else None


def _node(value: Any, model: str | None) -> Node:
    """A message in the tree, by its own links."""
    written = Fields(value)
    children = [child for child in written.items("childrenIds", "children_ids") if isinstance(child, str)]
    return Node(written.text("parentId", "parent_id") or None, children, convert_message(value, model))
