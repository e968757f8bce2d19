"""What ChatGPT exports (conversations.json): each conversation is a mapping of nodes. Knows that format and our form.

Every message is kept, branches too. What the assistant thought stands with the reply that it led to; what it wrote to a
tool becomes a message of role "tool", so that it is no reply; images and other files become their names. What has no
place in our form stands in `extra`.
"""

from collections.abc import Mapping
from typing import Any

from conversations.exchange.branches import Node, first_valid_id
from conversations.exchange.chatgpt.beside import Beside
from conversations.exchange.chatgpt.message import convert_message
from conversations.exchange.chatgpt.thoughts import join_thoughts
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields
from conversations.exchange.whole import build_conversation

__all__ = ["Beside", "convert"]


def convert(item: dict[str, Any], beside: Beside) -> dict[str, Any]:
    """A conversation in our form; one without a mapping has no messages. Raises ExchangeError."""
    fields = Fields(item)
    identity = first_valid_id(*(fields.text(name) for name in ("conversation_id", "id")))
    nodes = join_thoughts(_nodes(fields.take("mapping"), beside.ratings.get(identity, {}), beside))
    project = beside.projects.get(str(item.get("gizmo_id")))
    return build_conversation(
        nodes,
        fields.text("current_node") or None,
        source="chatgpt",
        ids=[identity],
        title=fields.text("title"),
        created=fields.time("create_time"),
        updated=fields.time("update_time"),
        pinned=fields.flag("is_starred") or bool(item.get("pinned_time")),
        extra=fields.rest() | ({"project": project} if project else {}),
    )


def _nodes(mapping: Any, ratings: Mapping[str, Mapping[str, Any]], beside: Beside) -> dict[str, Node]:
    """The tree; a node may be a placeholder without a message. Raises ExchangeError."""
    if mapping is None:
        return {}
    if not isinstance(mapping, dict):
        raise ExchangeError(f"mapping: should be an object ({preview(mapping)})")
    return {at: _node(at, node, ratings, beside) for at, node in mapping.items()}


def _node(at: str, value: Any, ratings: Mapping[str, Mapping[str, Any]], beside: Beside) -> Node:
    node = Fields(value)
    written = node.take("message")
    message = convert_message(written, beside)
    names = (at, written.get("id") if isinstance(written, dict) else None)
    rating = next((ratings[name] for name in names if isinstance(name, str) and name in ratings), None)
    if message is not None and rating is not None:
        message["feedback"] = rating
    children = [child for child in node.items("children") if isinstance(child, str)]
    return Node(node.text("parent") or None, children, message)
