"""A message of Open WebUI's in our form. Knows its fields, old and new; no tree.

What has no place in our form (sources, status, executions of code, …) is kept by its own name.
"""

from typing import Any
from urllib.parse import urlsplit

from conversations.exchange.fields import Fields, is_address, is_empty, show_json
from conversations.exchange.openwebui.content import Thought, read_content

ROLES = {"user", "assistant", "system", "tool"}
COUNTS = {
    "prompt_tokens": ("prompt_tokens", "prompt_eval_count", "input_tokens"),
    "completion_tokens": ("completion_tokens", "eval_count", "output_tokens"),
}
MAX_COUNT = 2**31
# What says how a message was drawn or stored, and nothing of what was said.
TECHNICAL = ("id", "parentId", "parent_id", "childrenIds", "children_ids", "done", "modelIdx", "lastSentence")


def convert_message(value: Any, model: str | None) -> dict[str, Any] | None:
    """A message in our form but for its place, `model` for a reply that names none; None where nothing is said."""
    if not isinstance(value, dict):
        value = {} if is_empty(value) else {"role": "unknown", "content": show_json("unknown message", value)}
    fields = Fields(value)
    role = _role(fields)
    text, thought, beside = read_content(fields, is_reply=role == "assistant")
    pictures = beside.pop("pictures", [])
    if role != "assistant" and thought.text:
        beside, thought = {**beside, "reasoning": [thought.text]}, Thought()
    error, created = fields.take("error"), fields.time("timestamp", "created_at")
    counts, usage = _counts(fields)
    feedback, annotation = _feedback(Fields(fields.object("annotation")), created)
    written_by, interrupted = fields.text("model"), value.get("done") is False
    fields.drop(*TECHNICAL)
    beside |= {n: v for n, v in {"references": _references(value), "annotation": annotation}.items() if v}
    beside |= fields.rest()
    says = bool(text or thought.text or error or pictures)
    if not says and (not beside or "role" not in value):
        return None
    if not says:  # nothing but what stands beside a reply: it is no answer
        role, text = "tool" if role == "assistant" else role, show_json("without words", beside)
    is_reply = role == "assistant"
    return {
        "role": role,
        "text": text,
        "created": created,
        "extra": {**beside, **usage} or None,
        "state": "failed" if error else "interrupted" if is_reply and interrupted else "done",
        "error": _error(error) if error else None,
        "model": (written_by or model) if is_reply else None,
        **({**counts, **_thinking(thought, usage)} if is_reply else {}),
        "feedback": feedback,
        **({"pictures": pictures} if pictures else {}),
    }


def _role(fields: Fields) -> str:
    """Our role; what has none but a text is a reply, and one that we do not know is kept beside."""
    role = fields.text("role")
    if role in ROLES:
        return role
    if not role:
        return "assistant" if is_empty(fields.take("role")) else "tool"
    fields.put("role", role)
    return "tool"


def _error(error: Any) -> str:
    """The words of an error, whatever form it has."""
    words = Fields(error).text("content", "message", "detail") if isinstance(error, dict) else error
    return words if isinstance(words, str) and words else "an error that is not described"


def _counts(fields: Fields) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tokens as OpenAI's servers and Ollama name them, and what else was measured."""
    usage = Fields(fields.take("usage", "info"))
    counts: dict[str, Any] = {}
    for name, others in COUNTS.items():
        held = usage.take(*others)
        if type(held) is int and 0 <= held < MAX_COUNT:
            counts[name] = held
    rest = usage.rest()
    return counts | ({"counted": True} if counts else {}), {"usage": rest} if rest else {}


def _thinking(thought: Thought, usage: dict[str, Any]) -> dict[str, Any]:
    """What was thought, its seconds and its tokens, as far as they are told; nothing where nothing was."""
    if not thought.text:
        return {}
    details = Fields(Fields(usage.get("usage")).object("completion_tokens_details", "output_tokens_details"))
    told = details.take("reasoning_tokens")
    return {
        "thinking": thought.text,
        "thinking_ms": thought.seconds * 1000 if thought.seconds else None,
        "thinking_tokens": told if type(told) is int and 0 < told < MAX_COUNT else None,
    }


def _feedback(annotation: Fields, created: float | None) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The thumb on a reply in our form, None without one, and what else was said of it."""
    rating = annotation.take("rating")
    if rating not in (1, -1):
        return None, annotation.rest() | ({} if is_empty(rating) else {"rating": rating})
    comment = annotation.text("comment") or annotation.text("reason")
    return {"value": int(rating), "comment": comment, "created": created or 0.0}, annotation.rest()


def _references(value: dict[str, Any]) -> list[dict[str, str]]:
    """Title and address of each page that a reply was made from, once."""
    cited: dict[str, str] = {}
    for source in Fields(value).items("sources", "citations"):
        held = Fields(source)
        named = Fields(held.object("source"))
        title, pages = named.text("name", "title"), [each for each in held.items("metadata") if isinstance(each, dict)]
        for url in (named.text("url"), *(Fields(each).text("url", "source", "link") for each in pages)):
            if is_address(url):
                cited.setdefault(url, title or urlsplit(url).netloc)
    return [{"title": title, "url": url} for url, title in cited.items()]
