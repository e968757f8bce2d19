"""The content of a message of ChatGPT's: the words of every kind that is known, and what else stands in it.

A kind that nobody knows, and a known one without words, is shown as its JSON. Knows the kinds; no message.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from conversations.exchange.chatgpt.beside import Beside
from conversations.exchange.fields import Fields, is_empty, show_json, storable
from conversations.exchange.markdown import code_block

CONTEXT_FIELDS = {
    "user_editable_context": ("user_profile", "user_instructions"),
    "model_editable_context": ("model_set_context", "repository", "repo_summary", "structured_context"),
}
POINTER_KINDS = {
    "image_asset_pointer": "image",
    "audio_asset_pointer": "audio",
    "video_container_asset_pointer": "video",
    "real_time_user_audio_video_asset_pointer": "video",
}
MAX_POINTER = 200  # characters of a pointer; some tools put the image itself there
SIZES = ("size_bytes", "width", "height", "fovea", "format", "tool_audio_direction", "expiry_datetime", "decoding_id")


@dataclass
class Content:
    """The words; kind, name and prompt of each file that is shown; `rest`: fields that no word stands for; `pictures`:
    those that are in the zip.
    """

    kind: str = ""
    text: str = ""
    attachments: list[dict[str, Any]] = field(default_factory=list)
    rest: dict[str, Any] = field(default_factory=dict)
    is_known: bool = True
    pictures: list[dict[str, Any]] = field(default_factory=list)

    def keep(self, name: str, value: Any) -> None:
        """Keep what no word stands for, of one of several under `name`."""
        if not is_empty(value):
            self.rest.setdefault(name, []).append(storable(value))


def read_content(value: Any, beside: Beside) -> Content:
    """A message's content, whatever it is; nothing where it says nothing."""
    if isinstance(value, str | list):
        value = {"content_type": "text", "parts": value if isinstance(value, list) else [value]}
    if is_empty(value):
        return Content()
    if not isinstance(value, dict):
        return Content("unknown", show_json("unknown content", value), rest={"value": storable(value)}, is_known=False)
    fields = Fields(value)
    kind = fields.text("content_type") or ("text" if {"parts", "text"} & value.keys() else "unknown")
    content = Content(kind, is_known=kind in RENDERERS)
    if content.is_known:
        content.text = RENDERERS[kind](fields, content, beside)
        content.rest |= fields.rest()
    else:
        content.text = "\n\n".join(filter(None, (_parts(fields, content, beside), fields.text("text"))))
        content.rest = storable({name: each for name, each in value.items() if not is_empty(each)})
    if not content.text and not content.attachments and (content.rest or not content.is_known):
        content.text = show_json(kind, {name: each for name, each in value.items() if name != "content_type"})
    return content


def _joined(*texts: str, between: str = "\n") -> str:
    return between.join(dict.fromkeys(text for text in texts if text))


def _text(fields: Fields, content: Content, beside: Beside) -> str:
    """Parts in a row; a text without parts stands alone."""
    return _joined(_parts(fields, content, beside), fields.text("text"))


def _parts(fields: Fields, content: Content, beside: Beside) -> str:
    """The words of all parts; files among them become attachments."""
    texts = []
    for part in fields.items("parts"):
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("content_type") in POINTER_KINDS:
            content.attachments.append(_pointer(part, beside))
        elif not is_empty(part):
            texts.append(_part(part, content))
    return "\n".join(text for text in texts if text)


def _part(part: Any, content: Content) -> str:
    """A part with words: what was spoken, or a text in an object; one without is shown as its JSON."""
    fields = Fields(part)
    text = fields.text("text", "result", "content", "summary", "title", "url")
    fields.drop(*SIZES, "direction")
    kind, rest = fields.text("content_type", "type"), fields.rest()
    if text:
        content.keep("parts", rest)
        return text
    if isinstance(part, dict):
        return show_json(kind or "part", rest) if rest else ""  # nothing was spoken
    return str(part) if isinstance(part, int | float) else show_json("part", part)


def _pointer(part: dict[str, Any], beside: Beside) -> dict[str, Any]:
    """Kind and name of a file, and the prompt that an image was made from; the data stays where it is."""
    fields = Fields(part)
    kind = POINTER_KINDS[fields.text("content_type")]
    kind = "audio" if isinstance(part.get("audio_asset_pointer"), dict | str) else kind
    held = fields.take(*POINTERS)
    held = held.get("asset_pointer") if isinstance(held, dict) else held
    identity = str(held or "").rpartition("://")[2].partition("?")[0]
    fields.drop(*SIZES, "content_type", "frames_asset_pointers", "audio_start_timestamp")
    made = Fields(fields.object("metadata"))
    drawn = Fields(made.object("dalle"))
    prompt = drawn.text("prompt") or made.text("prompt")
    made.drop("sanitized", "container_pixel_width", "container_pixel_height", "asset_pointer_link", *SIZES)
    details = {**made.rest(), **drawn.rest(), **fields.rest()}
    name = beside.name(identity) or (identity if len(identity) <= MAX_POINTER else "") or "unnamed"
    attachment: dict[str, Any] = {"kind": kind, "name": name}
    attachment |= {"id": identity} if 0 < len(identity) <= MAX_POINTER else {}
    return attachment | ({"prompt": prompt} if prompt else {}) | ({"details": details} if details else {})


def _code(fields: Fields, content: Content, beside: Beside) -> str:
    text = fields.text("text", "code")
    return code_block(text, fields.text("language")) if text else ""


def _citable(fields: Fields, content: Content, beside: Beside) -> str:
    text = fields.text("output_str", "text")
    return code_block(text) if text else ""


def _browsing(fields: Fields, content: Content, beside: Beside) -> str:
    return _joined(fields.text("result"), fields.text("summary"), between="\n\n")


def _web_page(fields: Fields, content: Content, beside: Beside) -> str:
    """A page or a piece of one: its title and address, then its words."""
    heading = _joined(fields.text("title"), fields.text("url") or fields.text("domain"))
    return _joined(heading, fields.text("snippet"), fields.text("text"), between="\n\n")


def _error(fields: Fields, content: Content, beside: Beside) -> str:
    return _joined(fields.text("name"), fields.text("text"), between=": ")


def _context(names: tuple[str, ...]) -> Callable[[Fields, Content, Beside], str]:
    def render(fields: Fields, content: Content, beside: Beside) -> str:
        return _joined(*(fields.text(name) for name in names), between="\n\n")

    return render


def _thoughts(fields: Fields, content: Content, beside: Beside) -> str:
    """Each thought: what it is about, then its words."""
    texts = []
    for thought in fields.items("thoughts"):
        held = Fields({"content": thought} if isinstance(thought, str) else thought)
        words = held.text("content") or "".join(each for each in held.items("chunks") if isinstance(each, str))
        texts.append(_joined(held.text("summary"), words))
        held.drop("finished", "chunks")
        content.keep("thoughts", held.rest())
    return "\n\n".join(text for text in texts if text)


def _recap(fields: Fields, content: Content, beside: Beside) -> str:
    return fields.text("content", "text")


def _computer(fields: Fields, content: Content, beside: Beside) -> str:
    """A screen: where it is, and its picture as a name."""
    shot = fields.object("screenshot")
    if shot:
        content.attachments.append(_pointer({"content_type": "image_asset_pointer", **shot}, beside))
    state = Fields(fields.object("state"))
    text = _joined(state.text("title"), state.text("url"), fields.text("text"))
    content.keep("state", state.rest())
    return text


def _paired_app(fields: Fields, content: Content, beside: Beside) -> str:
    """What an app beside the chat showed, and what was asked of it."""
    texts = [fields.text("shared_prompt")]
    for each in [*fields.items("workspaces"), *fields.items("context_parts")]:
        held = Fields(each)
        heading = _joined(held.text("app_name"), held.text("title"), between=": ")
        texts.append(_joined(heading, each if isinstance(each, str) else held.text("content", "text")))
        content.keep("app", held.rest())
    return "\n\n".join(text for text in texts if text)


POINTERS = ("asset_pointer", "audio_asset_pointer", "video_container_asset_pointer")
RENDERERS: dict[str, Callable[[Fields, Content, Beside], str]] = {
    "text": _text,
    "multimodal_text": _text,
    "code": _code,
    "tether_browsing_code": _code,
    "execution_output": _code,
    "stderr": _code,
    "citable_code_output": _citable,
    "tether_browsing_display": _browsing,
    "tether_quote": _web_page,
    "sonic_webpage": _web_page,
    "system_error": _error,
    "thoughts": _thoughts,
    "reasoning_recap": _recap,
    "computer_output": _computer,
    "app_pairing_content": _paired_app,
    **{kind: _context(names) for kind, names in CONTEXT_FIELDS.items()},
}
