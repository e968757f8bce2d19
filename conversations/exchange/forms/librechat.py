"""What LibreChat exports: one conversation a file, its messages as a tree or as a list. Knows that form and ours."""

from collections.abc import Iterable
from typing import Any

from conversations.exchange.attachment import attach
from conversations.exchange.branches import Node, unused_name
from conversations.exchange.draft import Draft
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.fields import Fields, is_empty
from conversations.exchange.form import Form, Source
from conversations.exchange.whole import build_conversation

TECHNICAL = (
    *("conversationId", "user", "__v", "_id", "updatedAt", "isCreatedByUser", "tokenCount", "iconURL", "depth"),
    *("siblingIndex", "expiredAt", "thread_id", "_meiliIndex", "endpoint", "sender", "clientId"),
)
PROMPTS = ("promptPrefix", "system", "instructions", "additional_instructions")
RATINGS = {"thumbsUp": 1, "thumbsDown": -1}


def recognizes(item: dict[str, Any]) -> bool:
    """Whether this is one of its conversations."""
    return "conversationId" in item and ("messages" in item or "messagesTree" in item)


def convert(item: dict[str, Any], source: Source) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    fields = Fields(item)
    written = fields.take("messagesTree", "messages")
    if isinstance(written, dict):  # a tree from its root, which says nothing
        written = [written]
    if not isinstance(written, list | None):
        raise ExchangeError(f"messages: should be a list ({preview(written)})")
    nodes: dict[str, Node] = {}
    _add(nodes, written or [], None, source)
    options = Fields(fields.object("options"))
    prompts = [options.text(name) for name in PROMPTS]
    fields.drop("branches", "recursive", "exportAt", "messagesTree", "messages")
    return build_conversation(
        nodes,
        next(reversed(nodes), None),
        source="librechat",
        ids=[fields.text("conversationId")],
        title=fields.text("title"),
        system=prompts,
        extra={**fields.rest(), "options": options.rest()},
    )


def _add(nodes: dict[str, Node], written: Iterable[Any], parent: str | None, source: Source) -> None:
    """Add messages, and what hangs on them: as their children, or where their own word for it says."""
    waiting = [(each, parent) for each in written][::-1]
    while waiting:
        value, above = waiting.pop()
        if not isinstance(value, dict):
            continue
        name = unused_name(str(value.get("messageId") or len(nodes)), nodes)
        told = value.get("parentMessageId")
        nodes[name] = Node(above or (told if isinstance(told, str) else None), [], _draft(value, source).message())
        children = value.get("children")
        waiting += [(child, name) for child in children][::-1] if isinstance(children, list) else []


def _draft(value: dict[str, Any], source: Source) -> Draft:
    fields = Fields(value)
    is_person = value.get("isCreatedByUser") is True or value.get("sender") in ("User", "user")
    draft = Draft("user" if is_person else "assistant", fields.time("createdAt"), fields.text("model") or None)
    parts, text = fields.items("content"), fields.take("text")
    for part in parts:
        _add_part(draft, Fields(part), source)
    if not draft.text:
        draft.say(text)
    for file in [*fields.items("files"), *fields.items("attachments")]:
        _add_file(draft, Fields(file), source)
    _add_state(draft, fields)
    if not is_person:
        sender = fields.text("sender")
        draft.keep({"name": sender})
        draft.model = draft.model or (sender or None)
    fields.drop(*TECHNICAL, "messageId", "parentMessageId", "children")
    draft.keep(fields.rest())
    return draft


def _add_state(draft: Draft, fields: Fields) -> None:
    """Whether it is an error or was cut, and the thumb on it."""
    if fields.flag("error"):
        draft.state, draft.error = "failed", draft.text or "an error that is not described"
    elif fields.flag("unfinished"):
        draft.state = "interrupted"
    feedback = Fields(fields.take("feedback"))
    value = RATINGS.get(feedback.text("rating"))
    if value is not None:
        tag = feedback.take("tag")
        named = Fields(tag).text("key") if isinstance(tag, dict) else tag
        said = [each for each in (feedback.text("text"), named) if isinstance(each, str) and each]
        draft.feedback = {"value": value, "comment": "\n".join(said), "created": draft.created or 0.0}


def _add_part(draft: Draft, part: Fields, source: Source) -> None:
    kind = part.text("type")
    held = part.take(kind) if kind else None
    if kind in {"text", "error"}:
        draft.say(_words(held) or part.text("text", "error"))
    elif kind == "think":
        draft.think(_words(held))
    elif kind == "tool_call":
        _add_call(draft, Fields(held))
    elif kind in {"image_file", "image_url", "video_url", "input_audio", "file"}:
        _add_file(draft, Fields(held) if isinstance(held, dict) else part, source, kind.partition("_")[0])
    elif kind not in {"agent_update", "summary"} and (rest := part.rest() | ({} if is_empty(held) else {kind: held})):
        draft.beside.setdefault("content", []).append({"type": kind, **rest})


def _words(value: Any) -> str:
    """A text, alone or with annotations."""
    return Fields(value).text("value") if isinstance(value, dict) else value if isinstance(value, str) else ""


def _add_call(draft: Draft, call: Fields) -> None:
    """A call with its result, as agents and assistants have it."""
    function = Fields(call.object("function"))
    interpreter = Fields(call.object("code_interpreter"))
    name = call.text("name") or function.text("name") or ("code_interpreter" if interpreter.rest() else "")
    arguments = call.take("args") or function.take("arguments") or interpreter.text("input") or {}
    draft.call(call.text("id"), name, arguments)
    result = call.take("output") or function.take("output") or interpreter.take("outputs")
    if result is not None:
        draft.answer(draft.calls[-1]["call_id"], result)


def _add_file(draft: Draft, file: Fields, source: Source, kind: str = "") -> None:
    mime = file.text("type")
    kind = kind or ("image" if mime.startswith("image") else "file")
    name, text = file.text("filename", "filepath"), file.text("text")
    if text:
        draft.attach_text(name, text)
        return
    if name and name in {each["name"] for each in [*draft.attachments, *draft.pictures]}:
        return
    kind = "audio" if kind == "input" else kind
    base = name.replace("\\", "/").rpartition("/")[2]
    attach(draft, source, kind, name, held=file.take("url", "data"), members=(file.text("file_id"), base))


FORM = Form("LibreChat", recognizes, convert)
