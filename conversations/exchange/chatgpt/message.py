"""A message of ChatGPT's in our form. Knows authors, recipients and metadata; no tree."""

from typing import Any

from conversations.exchange.chatgpt.beside import Beside
from conversations.exchange.chatgpt.content import CONTEXT_FIELDS, MAX_POINTER, Content, read_content
from conversations.exchange.chatgpt.links import link_citations
from conversations.exchange.chatgpt.thoughts import KINDS as THOUGHT_KINDS
from conversations.exchange.fields import Fields, is_empty, show_json
from conversations.exchange.markdown import code_block
from conversations.exchange.pictures import to_form

ROLES = {"user", "assistant", "system", "tool"}
PLAIN_TYPES = {"", "text", "multimodal_text", "code", "execution_output", *CONTEXT_FIELDS}
# What says how a message was computed, stored or sent, and nothing of what was said.
TECHNICAL = (
    *("request_id", "message_source", "message_type", "timestamp_", "turn_exchange_id", "parent_id", "can_save"),
    *("is_complete", "serialization_metadata", "default_model_slug", "pad", "rebase_system_message", "message_locale"),
    *("rebase_developer_message", "resolved_model_slug", "requested_model_id", "classifier_response", "turn_start_ms"),
    *("stop_reason", "skip_reasoning_title", "is_visually_hidden_reasoning_group", "inline_gizmo_id", "permissions"),
    *("reasoning_group_id", "is_user_system_message", "conversation_mode", "trigger_async_ux"),
    *("is_thinking_preamble_message", "reasoning_status", "search_display_string", "searched_display_string"),
)


def convert_message(value: Any, beside: Beside) -> dict[str, Any] | None:
    """A message in our form, but for its place; None for a placeholder, and for one in which nothing is said."""
    if is_empty(value):
        return None
    if not isinstance(value, dict):
        value = {"content": {"content_type": "unknown", "value": value}}
    fields = Fields(value)
    metadata = Fields(fields.object("metadata"))
    content = read_content(fields.take("content"), beside)
    content.attachments = _attachments(metadata, content, beside)
    role, extra = _role(fields, content)
    extra |= _describe(content, metadata, role, beside)
    if metadata.flag("is_visually_hidden_from_conversation") and content.kind not in CONTEXT_FIELDS:
        extra["hidden"] = True
    if not (content.text or content.pictures) or (role == "system" and not content.text.strip()):
        return None
    ended = Fields(metadata.object("finish_details"))
    model, reason = metadata.text("model_slug"), ended.text("type")
    status, created = fields.text("status"), fields.time("create_time")
    fields.drop("id", "update_time", "end_turn", "weight", "status")
    metadata.drop(*TECHNICAL)
    extra |= {"metadata": kept} if (kept := metadata.rest()) else {}
    return {
        "role": role,
        "text": content.text,
        "created": created,
        "extra": {**extra, **fields.rest()} or None,
        "state": "interrupted" if status == "in_progress" else "stopped" if reason == "interrupted" else "done",
        "model": model if role == "assistant" and model else None,
        "stop_reason": reason if role == "assistant" and reason else None,
    } | ({"pictures": content.pictures} if content.pictures else {})


def _role(fields: Fields, content: Content) -> tuple[str, dict[str, Any]]:
    """Our role, and what it does not say. Who wrote a message without an author is not known."""
    author = fields.take("author")
    who = Fields({"role": author} if isinstance(author, str) else author)
    role, name, recipient = who.text("role"), who.text("name"), fields.text("recipient")
    extra: dict[str, Any] = {"name": name} if name else {}
    extra |= {"author": kept} if (kept := who.rest()) else {}
    channel = fields.text("channel")
    extra |= {"channel": channel} if channel not in {"", "final"} else {}
    if content.kind in CONTEXT_FIELDS:
        return "system", extra
    if recipient not in {"", "all"}:
        return "tool", {**extra, "recipient": recipient}
    if content.kind in THOUGHT_KINDS or (role == "assistant" and not content.is_known):
        return "tool", extra
    return (role, extra) if role in ROLES else ("tool", {**extra, "role": role or None})


def _describe(content: Content, metadata: Fields, role: str, beside: Beside) -> dict[str, Any]:
    """What stands beside the words; where there are none, the words become what is to be said of it."""
    kind = {} if content.kind in PLAIN_TYPES else {"content_type": content.kind}
    canvas, run, title = (
        metadata.object("canvas"),
        metadata.object("aggregate_result"),
        metadata.text("image_gen_title"),
    )
    if canvas:
        content.attachments.append({"kind": "canvas", "name": Fields(canvas).text("title", "textdoc_id") or "unnamed"})
    content.attachments += _plots(run, beside)
    _bring_pictures(content, beside)
    cited = {name: metadata.take(name) for name in ("content_references", "citations")}
    references: list[dict[str, str]] = []
    if role != "user":
        content.text, references = link_citations(content.text, cited)
    content.text = content.text or _of_run(run) or _of_files(content, title)
    files = {"attachments": _drop_equal_ids(content.attachments), "references": references, "image_gen_title": title}
    return kind | Fields({**files, "content": content.rest, "canvas": canvas, "aggregate_result": run, **cited}).rest()


def _attachments(metadata: Fields, content: Content, beside: Beside) -> list[dict[str, Any]]:
    """The files of a message, those among its parts first under the names that the list of all has for them."""
    listed = [each for each in metadata.items("attachments") if isinstance(each, dict)]
    for shown in content.attachments:
        identity = shown.get("id")
        file = next((each for each in listed if identity and each.get("id") == identity), None)
        if file is not None:
            listed.remove(file)
            shown["name"] = _attachment(file, beside)["name"]
    return [*content.attachments, *(_attachment(file, beside) for file in listed)]


def _bring_pictures(content: Content, beside: Beside) -> None:
    """Take the pictures along that are in the zip; of one that nothing else is said of, no name is listed."""
    for each in list(content.attachments):
        data = beside.picture(str(each.get("id") or "")) if each["kind"] == "image" else None
        if data is not None:
            content.pictures.append(to_form(each["name"], data))
            if each.keys() <= {"kind", "name", "id"}:
                content.attachments.remove(each)


def _drop_equal_ids(attachments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The files without an id that is their name."""
    return [{n: v for n, v in each.items() if n != "id" or v != each["name"]} for each in attachments]


def _attachment(file: dict[str, Any], beside: Beside) -> dict[str, Any]:
    fields = Fields(file)
    kind = "image" if fields.text("mime_type", "mimeType").startswith("image/") else "file"
    identity = fields.text("id")
    name = fields.text("name") or beside.name(identity) or identity or "unnamed"
    return {"kind": kind, "name": name} | ({"id": identity} if identity else {})


def _plots(run: dict[str, Any], beside: Beside) -> list[dict[str, Any]]:
    """The pictures that code has drawn."""
    messages = [each for each in Fields(run).items("messages") if isinstance(each, dict)]
    urls = [str(each.get("image_url") or "") for each in messages if each.get("message_type") == "image"]
    names = [url.rpartition("/")[2] for url in urls]
    return [
        {"kind": "image", "name": beside.name(name) or name[:MAX_POINTER] or "unnamed", "id": name} for name in names
    ]


def _of_run(run: dict[str, Any]) -> str:
    """Code that ran, where the message does not say what came of it: code, print, value and error."""
    fields = Fields(run)
    failure = fields.take("in_kernel_exception", "system_exception")
    code, value = fields.text("code"), fields.text("final_expression_output")
    printed = "".join(Fields(each).text("text") for each in fields.items("messages"))
    return "\n\n".join(
        filter(
            None,
            (
                code_block(code, "python") if code else "",
                printed,
                value,
                show_json("error", failure) if failure else "",
            ),
        )
    )


def _of_files(content: Content, title: str) -> str:
    """Files without words: the name of each, and the prompt that it was made from."""
    names = [" ".join(filter(None, (f"[{a['kind']}: {a['name']}]", a.get("prompt")))) for a in content.attachments]
    return "\n".join(filter(None, (title if names else "", *names)))
