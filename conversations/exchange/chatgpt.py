"""What ChatGPT exports (conversations.json): each conversation is a mapping of nodes. Knows that format and our form.

Every message is kept, branches too. What the assistant wrote to a tool or to itself becomes a message of role "tool",
so that it is no reply; images and other files become their names; a conversation without any node is left empty.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError

from conversations.exchange.branches import Node, extract_system_prompt, first_valid_id, number_messages, to_seconds
from conversations.exchange.errors import ExchangeError, explain
from conversations.exchange.markdown import code_block
from conversations.exchange.schema import CleanStr, validate_conversation
from conversations.store import store

ROLES = {"user", "assistant", "system", "tool"}
CONTEXT_FIELDS = {
    "user_editable_context": ("user_profile", "user_instructions"),
    "model_editable_context": ("model_set_context",),
}
CODE_TYPES = {"code", "execution_output"}
THINKING_TYPES = {"thoughts", "reasoning_recap"}
POINTER_KINDS = {
    "image_asset_pointer": "image",
    "audio_asset_pointer": "audio",
    "video_container_asset_pointer": "video",
    "real_time_user_audio_video_asset_pointer": "audio",
}
MAX_POINTER = 200  # characters of a pointer; some tools put the image itself there
Time = Annotated[float | None, BeforeValidator(lambda value: None if value == "" else value)]


class Author(BaseModel):
    """Who wrote a message, by role and by name."""

    role: CleanStr
    name: CleanStr | None = None


class ExportedMessage(BaseModel):
    """A message with what ChatGPT keeps beside its content."""

    author: Author
    create_time: Time = None
    content: dict[str, Any] | CleanStr | None = None
    status: CleanStr | None = None
    recipient: CleanStr | None = None
    metadata: dict[str, Any] | None = None


class ExportedNode(BaseModel):
    """A node; the root and others have no message."""

    message: ExportedMessage | None = None
    parent: str | None = None
    children: list[str] | None = None


class ExportedConversation(BaseModel):
    """A conversation as it stands in conversations.json."""

    id: CleanStr | None = None
    conversation_id: CleanStr | None = None
    title: CleanStr | None = None
    create_time: Time = None
    update_time: Time = None
    mapping: dict[str, ExportedNode] | None = None
    current_node: str | None = None
    is_starred: bool | None = None


def convert(item: dict[str, Any]) -> dict[str, Any]:
    """A conversation in our form. Raises ExchangeError."""
    try:
        conversation = ExportedConversation.model_validate(item)
    except ValidationError as error:
        raise ExchangeError(explain(error)) from None
    nodes = {
        at: Node(node.parent, node.children or [], _message(node.message))
        for at, node in (conversation.mapping or {}).items()
    }
    nodes, system = extract_system_prompt(nodes)
    created = to_seconds(conversation.create_time) or 0.0
    messages, head = number_messages(nodes, conversation.current_node, created)
    first = next((m["text"] for m in messages if m["role"] == "user"), "")
    return validate_conversation(
        {
            "id": first_valid_id(conversation.conversation_id, conversation.id),
            "title": conversation.title or store.make_title(first),
            "created": created,
            "updated": to_seconds(conversation.update_time) or created,
            "pinned": bool(conversation.is_starred),
            "system": system,
            "extra": {"source": "chatgpt"},
            "head": head,
            "messages": messages,
        }
    )


def _message(written: ExportedMessage | None) -> dict[str, Any] | None:
    """A message in our form; None for an empty system message, which says nothing."""
    if written is None:
        return None
    content = (
        {"content_type": "text", "parts": [written.content]} if isinstance(written.content, str) else written.content
    )
    content, metadata = content or {}, written.metadata or {}
    kind = content.get("content_type")
    role, extra = _role(written, kind)
    beside = _attachments(content, metadata)
    text = _text(content) or "\n".join(f"[{each['kind']}: {each['name']}]" for each in beside)
    if role == "system" and not text:
        return None
    extra |= {"attachments": beside} if beside else {}
    extra |= {"hidden": True} if metadata.get("is_visually_hidden_from_conversation") else {}
    ended = metadata.get("finish_details")
    reason = ended.get("type") if isinstance(ended, dict) else None
    model = metadata.get("model_slug")
    return {
        "role": role,
        "text": text,
        "created": to_seconds(written.create_time),
        "extra": extra or None,
        "state": "interrupted" if written.status == "in_progress" else "stopped" if reason == "interrupted" else "done",
        "model": model if role == "assistant" and isinstance(model, str) else None,
        "stop_reason": reason if role == "assistant" and isinstance(reason, str) else None,
    }


def _role(written: ExportedMessage, kind: Any) -> tuple[str, dict[str, Any]]:
    """Our role, and what it does not say."""
    role, extra = written.author.role, dict[str, Any]()
    if written.author.name:
        extra["name"] = written.author.name
    if kind in CONTEXT_FIELDS:
        return "system", extra
    if written.recipient not in {None, "", "all"}:
        return "tool", {**extra, "recipient": written.recipient}
    if kind in THINKING_TYPES:
        return "tool", {**extra, "content_type": kind}
    return (role, extra) if role in ROLES else ("tool", {**extra, "role": role})


def _text(content: dict[str, Any]) -> str:
    """The words of any kind of content; null is empty."""
    kind = content.get("content_type")
    if kind in CONTEXT_FIELDS:
        return "\n\n".join(_strings([content.get(name) for name in CONTEXT_FIELDS[kind]]))
    if kind == "thoughts":
        thoughts = content.get("thoughts")
        return "\n\n".join(_strings(thoughts if isinstance(thoughts, list) else []))
    parts = content.get("parts")
    if isinstance(parts, list):
        return "\n".join(_strings(parts))
    text = next(iter(_strings([content])), "")
    return code_block(text, content.get("language")) if kind in CODE_TYPES and text else text


def _strings(values: list[Any]) -> list[str]:
    """What is text in them, or has a text."""
    names = ("text", "result", "content", "title", "url")
    texts = [
        next((v[n] for n in names if isinstance(v.get(n), str) and v[n]), "") if isinstance(v, dict) else v
        for v in values
    ]
    return [text for text in texts if isinstance(text, str) and text]


def _attachments(content: dict[str, Any], metadata: dict[str, Any]) -> list[dict[str, str]]:
    """Kind and name of what was shown beside the text; the data stays where it is."""
    listed = metadata.get("attachments")
    files = {str(f.get("id")): f for f in listed if isinstance(f, dict)} if isinstance(listed, list) else {}
    attachments = []
    parts = content.get("parts")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and part.get("content_type") in POINTER_KINDS:
            pointer = str(part.get("asset_pointer") or "").rpartition("://")[2]
            name = files.pop(pointer, {}).get("name") or (pointer if len(pointer) <= MAX_POINTER else "") or "unnamed"
            attachments.append({"kind": POINTER_KINDS[part["content_type"]], "name": str(name)})
    for file in files.values():
        kind = "image" if str(file.get("mime_type") or file.get("mimeType")).startswith("image/") else "file"
        attachments.append({"kind": kind, "name": str(file.get("name") or file.get("id") or "unnamed")})
    return attachments
