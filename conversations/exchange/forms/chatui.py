"""What HF chat-ui exports: conversations.json, assistants.json and files in a zip. Knows that form and ours."""

from collections.abc import Iterator
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.branches import Node, unused_name
from conversations.exchange.draft import Draft
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields, is_address
from conversations.exchange.form import Form, Source
from conversations.exchange.personas import make_persona
from conversations.exchange.think import split_thinking
from conversations.exchange.whole import build_conversation, chain

ROLES = ("user", "assistant", "system")
# Who and from where; `meta` may hold keys of other servers.
NOT_OURS = ("meta", "userAgent", "sessionId", "userId", "embeddingModel", "assistantId")


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    written = item.get("messages")
    first = written[0] if isinstance(written, list) and written else None
    return isinstance(first, dict) and first.get("from") in ROLES and "content" in first


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    written = fields.take("messages")
    if not isinstance(written, list):
        raise ExchangeError(f"messages: should be a list ({preview(written)})")
    model = fields.text("model")
    messages, files = [each for each in written if isinstance(each, dict)], _names(written)
    asked = next((each for each in messages if each.get("from") == "user"), {})
    asked["files"] = [{"name": name} for name in files] or asked.get("files")  # which message has which is not told
    nodes, last = _nodes(messages, model, source)
    fields.drop(*NOT_OURS, "rootMessageId")
    return build_conversation(
        nodes,
        last,
        source="chat-ui",
        ids=[_identity(fields.take("_id", "id"))],
        title=fields.text("title"),
        created=_time(fields, "createdAt"),
        updated=_time(fields, "updatedAt"),
        system=[fields.text("preprompt")],
        extra={**fields.rest(), "model": model, "files": files},
    )


def _nodes(written: list[dict[str, Any]], model: str, source: Source) -> tuple[dict[str, Node], str | None]:
    """The tree: the last of a message's ancestors is its parent; without any, one stands below the other."""
    if not any(each.get("ancestors") for each in written):
        return chain(_draft(each, model, source) for each in written)
    nodes: dict[str, Node] = {}
    for number, value in enumerate(written):
        above, below = value.get("ancestors"), value.get("children")
        parent = _identity(above[-1]) if isinstance(above, list) and above else None
        children = [_identity(child) for child in below] if isinstance(below, list) else []
        name = unused_name(_identity(value.get("id")) or str(number), nodes)
        nodes[name] = Node(parent, children, _draft(value, model, source).message())
    return nodes, next(reversed(nodes), None)


def _identity(value: Any) -> str:
    """An id, which the database's own export wraps."""
    return Fields(value).text("$oid") if isinstance(value, dict) else str(value or "")


def _time(fields: Fields, name: str) -> float | None:
    held = fields.take(name)
    inner = Fields({"time": held.get("$date") if isinstance(held, dict) else held})
    return inner.time("time")


def _names(written: list[Any]) -> list[str]:
    """The names of a conversation's files: the export says them on each message."""
    held = [name for each in written for name in Fields(each).items("files") if isinstance(name, str)]
    return list(dict.fromkeys(held))


def _draft(value: dict[str, Any], model: str, source: Source) -> Draft:
    fields = Fields(value)
    role = fields.text("from")
    draft = Draft(role if role in ROLES else "tool", _time(fields, "createdAt") or _time(fields, "updatedAt"))
    routed = Fields(fields.object("routerMetadata"))
    draft.model = routed.text("model") or model or None
    text = fields.text("content")
    if role == "assistant":
        thought, text = split_thinking(text)
        draft.think(fields.text("reasoning") or thought)
    for update in fields.items("updates"):
        _add_update(draft, Fields(update))
    draft.say(text)
    if fields.flag("interrupted"):
        draft.state = "interrupted"
    score = fields.take("score")
    if score in (1, -1):
        draft.feedback = {"value": int(score), "comment": "", "created": draft.created or 0.0}
    for file in (Fields(each) for each in fields.items("files") if isinstance(each, dict)):
        kind, name = "image" if file.text("mime").startswith("image/") else "file", file.text("name")
        attach(draft, source, kind, name, held=file.take("value"), members=(name,))
    fields.drop("id", "ancestors", "children", "updatedAt", "files")
    draft.keep({**fields.rest(), "router": routed.rest()})
    return draft


def _add_update(draft: Draft, update: Fields) -> None:
    """A call of a tool, its result, or the pages of a search."""
    kind, step = update.text("type"), update.text("subtype", "messageType")
    if kind == "tool" and step in {"call", "parameters"}:
        call = Fields(update.object("call"))
        name = call.text("name") or update.text("name")
        draft.call(update.text("uuid"), name, call.take("parameters") or update.take("parameters") or {})
    elif kind == "tool" and step in {"result", "error", "message"}:
        result = Fields(update.object("result"))
        outputs = result.take("outputs", "display", "message") or update.take("message") or ""
        has_failed = step == "error" or result.text("status") == "error"
        draft.answer(update.text("uuid"), outputs, has_failed)
    elif kind == "webSearch" and step == "sources":
        pages = [Fields(each) for each in update.items("sources")]
        cited = [{"title": page.text("title"), "url": page.text("link", "uri")} for page in pages]
        draft.keep({"references": [page for page in cited if is_address(page["url"])]})


def beside(source: Source) -> Iterator[dict[str, Any]]:
    """No conversation; the assistants beside it become personas."""
    listed = source.beside.get("assistants.json")
    for assistant in (Fields(each) for each in listed if isinstance(each, dict)) if isinstance(listed, list) else ():
        texts = [assistant.text("preprompt")]
        make_persona(source, assistant.text("name"), assistant.text("description"), texts)
    yield from ()


FORM = Form("HF chat-ui", recognizes, convert, beside=beside)
