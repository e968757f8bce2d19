"""What Open WebUI exports: a list of chats with a history of messages by id. Knows that format and our form.

Older chats have only a plain list of messages. Blocks of reasoning and tool calls stand in a reply's text there; here
they stand beside it. Images and files become their names.
"""

import re
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError

from conversations.exchange.branches import Node, extract_system_prompt, first_valid_id, number_messages, to_seconds
from conversations.exchange.errors import ExchangeError, explain
from conversations.exchange.schema import CleanStr, validate_conversation
from conversations.store import store
from conversations.store.tree import Tree

BLOCK = re.compile(r'<details type="(?:reasoning|tool_calls|code_interpreter)"')
CLOSED = re.compile(r"</details>\s*")
Time = Annotated[float | None, BeforeValidator(lambda value: None if value == "" else value)]


class ExportedMessage(BaseModel):
    """A message with its links in the tree."""

    id: str | None = None
    parent: str | None = Field(None, alias="parentId")
    children: list[Any] | None = Field(None, alias="childrenIds")
    role: CleanStr | None = None
    content: CleanStr | list[Any] | None = None
    timestamp: Time = None
    model: CleanStr | None = None
    done: bool | None = None
    error: Any = None
    files: list[Any] | None = None
    output: list[Any] | None = None
    tool_calls: list[Any] | None = None
    usage: dict[str, Any] | None = Field(None, validation_alias=AliasChoices("usage", "info"))
    annotation: dict[str, Any] | None = None


class History(BaseModel):
    """Messages by id, and the last one shown."""

    messages: dict[str, ExportedMessage | None] | None = None
    current: str | None = Field(None, validation_alias=AliasChoices("currentId", "current_id"))


class Chat(BaseModel):
    """A chat's messages, as a tree or as a list."""

    title: CleanStr | None = None
    history: History | None = None
    messages: list[ExportedMessage] | None = None
    params: dict[str, Any] | None = None
    system: CleanStr | None = None
    timestamp: Time = None


class ExportedChat(BaseModel):
    """A chat with what the list shows of it."""

    id: CleanStr | None = None
    title: CleanStr | None = None
    chat: Chat
    created_at: Time = None
    updated_at: Time = None
    timestamp: Time = None
    pinned: bool | None = None


def convert(item: dict[str, Any]) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    try:
        exported = ExportedChat.model_validate(item)
    except ValidationError as error:
        raise ExchangeError(explain(error)) from None
    nodes, head = _nodes(exported.chat)
    nodes, opening = extract_system_prompt(nodes)
    prompt = (exported.chat.params or {}).get("system") or exported.chat.system
    created = to_seconds(exported.created_at or exported.timestamp or exported.chat.timestamp) or 0.0
    messages, last = number_messages(nodes, head, created)
    shown_leaf = None if last is None else Tree((m["number"], m["parent"]) for m in messages).leaf(last)
    first = next((m["text"] for m in messages if m["role"] == "user"), "")
    return validate_conversation(
        {
            "id": first_valid_id(exported.id),
            "title": exported.title or exported.chat.title or store.make_title(first),
            "created": created,
            "updated": to_seconds(exported.updated_at) or created,
            "pinned": bool(exported.pinned),
            "system": "\n\n".join(text for text in (prompt, opening) if isinstance(text, str) and text) or None,
            "extra": {"source": "open-webui"},
            "head": shown_leaf,
            "messages": messages,
        }
    )


def _nodes(chat: Chat) -> tuple[dict[str, Node], str | None]:
    """The tree of a chat; a plain list is a tree without branches."""
    if chat.history is not None and chat.history.messages:
        tree = chat.history.messages
        return {at: _node(message) for at, message in tree.items()}, chat.history.current
    listed = chat.messages or []
    names = [str(position) for position in range(len(listed))]
    nodes = {
        name: Node(before, [], _message(message))
        for name, before, message in zip(names, [None, *names[:-1]], listed, strict=False)
    }
    return nodes, names[-1] if names else None


def _node(written: ExportedMessage | None) -> Node:
    """A message in the tree; the remains of one that was never written (no role, no text) are left out."""
    if written is None:
        return Node(None, [], None)
    remains = written.role is None and not written.content
    children = [child for child in written.children or [] if isinstance(child, str)]
    return Node(written.parent, children, None if remains else _message(written))


def _message(written: ExportedMessage) -> dict[str, Any]:
    """A message in our form; what has no role but a text is a reply."""
    written.role = written.role or "assistant"
    text, beside = _content(written)
    error = written.error.get("content") if isinstance(written.error, dict) else written.error
    is_assistant = written.role == "assistant"
    counts = _counts(written.usage or {}) if is_assistant else {}
    return {
        "role": written.role,
        "text": text,
        "created": to_seconds(written.timestamp),
        "extra": beside or None,
        "state": "failed" if error else "interrupted" if is_assistant and written.done is False else "done",
        "error": (error if isinstance(error, str) else "an error that is not described") if error else None,
        "model": written.model if is_assistant else None,
        "counted": bool(counts),
        **counts,
        "feedback": _feedback(written),
    }


def _content(written: ExportedMessage) -> tuple[str, dict[str, Any]]:
    """The text, and what stands beside it."""
    parts = written.content if isinstance(written.content, list) else [written.content]
    texts = [p.get("text") if isinstance(p, dict) else p for p in parts]
    text = "\n".join(t for t in texts if isinstance(t, str) and t)
    text = text or "\n".join(_output_texts(written.output or []))
    files = [f for f in [*parts, *(written.files or [])] if isinstance(f, dict)]
    attachments = [attachment for file in files if (attachment := _attachment(file))]
    text, blocks = _extract_blocks(text) if written.role == "assistant" else (text, [])
    beside = {"attachments": attachments, "details": [b.strip() for b in blocks], "tool_calls": written.tool_calls}
    text = text or "\n".join(f"[{each['kind']}: {each['name']}]" for each in attachments)
    return text, {name: value for name, value in beside.items() if value}


def _extract_blocks(text: str) -> tuple[str, list[str]]:
    """The text without its blocks, and these; read once, however many are opened and never closed."""
    outside, blocks, at = [], [], 0
    while opening := BLOCK.search(text, at):
        inner = text.find(">", opening.end()) + 1
        closing = CLOSED.search(text, inner) if inner else None
        if closing is None:
            break
        outside.append(text[at : opening.start()])
        blocks.append(text[opening.start() : closing.end()])
        at = closing.end()
    return "".join([*outside, text[at:]]), blocks


def _output_texts(output: list[Any]) -> list[str]:
    """The text parts of a newer reply's output."""
    items = [
        i for i in output if isinstance(i, dict) and i.get("type") == "message" and isinstance(i.get("content"), list)
    ]
    parts = [part for item in items for part in item["content"] if isinstance(part, dict)]
    return [part["text"] for part in parts if isinstance(part.get("text"), str)]


def _attachment(file: dict[str, Any]) -> dict[str, str] | None:
    """Kind and name of a file or of a part that is an image; None for text."""
    kind = file.get("type")
    if kind in {None, "text"}:
        return None
    held = file.get("image_url") if kind == "image_url" else file.get("url")
    url = held.get("url") if isinstance(held, dict) else held
    last = "" if not isinstance(url, str) or url.startswith("data:") else url.rpartition("/")[2]
    inner = file.get("file")
    name = file.get("name") or (inner.get("filename") if isinstance(inner, dict) else None) or last or "unnamed"
    return {"kind": "image" if kind in {"image", "image_url"} else "file", "name": str(name)}


def _counts(usage: dict[str, Any]) -> dict[str, int]:
    """Tokens as OpenAI's servers and Ollama name them."""
    names = {
        "prompt_tokens": ("prompt_tokens", "prompt_eval_count", "input_tokens"),
        "completion_tokens": ("completion_tokens", "eval_count", "output_tokens"),
    }
    counts = {
        name: next((usage[n] for n in others if type(usage.get(n)) is int), None) for name, others in names.items()
    }
    return {name: value for name, value in counts.items() if value is not None}


def _feedback(written: ExportedMessage) -> dict[str, Any] | None:
    """The thumb on a reply in our form; None without one."""
    annotation = written.annotation or {}
    if annotation.get("rating") not in {1, -1}:
        return None
    comment = annotation.get("comment") or annotation.get("reason") or ""
    return {
        "value": int(annotation["rating"]),
        "comment": str(comment),
        "created": to_seconds(written.timestamp) or 0.0,
    }
