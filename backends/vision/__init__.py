"""Pictures in messages, as LangChain's content blocks: made, found, left out, and what they take of a window.

Knows messages; no model and no file.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Protocol, runtime_checkable

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage


@runtime_checkable
class SeeingModel(Protocol):
    """What a model has that is told by its server whether it sees."""

    def sees(self, name: str | None = None) -> bool | None:
        """Whether it can see pictures, or another model of its server; None where nobody says."""


TYPES = ("image", "image_url")  # of blocks: LangChain's own, and OpenAI's
FOLLOWS = "[The picture follows.]"  # what a result says that is nothing else
LEFT_OUT = "[There was a picture here, which this model cannot see.]"
PIXELS_PER_TOKEN = 750  # Anthropic's rule; Qwen's models take one for 784, OpenAI's fewer, Gemma's 256 for a picture
LEAST, UNKNOWN = 85, 1600  # tokens of a small picture, and of one whose size is not known
CANNOT_SEE = (
    "{} cannot see pictures: it reads text alone. Choose a model that sees, or attach the picture as a document to "
    "have the text in it read."
)
HEADER = 64 * 1024  # characters in which a picture says how large it is


def sees(model: BaseChatModel | None, other: str | None = None) -> bool | None:
    """Whether a loaded model, or another one of its server, can see pictures; None where nobody says."""
    if isinstance(model, SeeingModel):
        return model.sees(other)
    told = None if model is None or other else (model.profile or {}).get("image_inputs")
    return told if isinstance(told, bool) else None


def to_block(mime_type: str, base64: str) -> dict[str, Any]:
    """A picture as a content block."""
    return {"type": "image", "base64": base64, "mime_type": mime_type}


def is_picture(block: Any) -> bool:
    """Whether a content block is a picture."""
    return isinstance(block, dict) and block.get("type") in TYPES


def has_pictures(message: BaseMessage) -> bool:
    """Whether a message shows some."""
    return isinstance(message.content, list) and any(map(is_picture, message.content))


def without_pictures(message: BaseMessage) -> BaseMessage:
    """The message as one of text that says where its pictures were; itself where it has none."""
    if not has_pictures(message):
        return message
    texts = (LEFT_OUT if is_picture(block) else _text(block) for block in message.content)
    return message.model_copy(update={"content": "\n".join(filter(None, texts))})


def after_results(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The messages for a server that reads text alone in results of tools: the user shows what those showed.

    It stands behind all results of one answer, at the beginning of what the user says next.
    """
    found, shown = list[BaseMessage](), list[Any]()
    for message in messages:
        if isinstance(message, ToolMessage):
            shown += filter(is_picture, message.content) if has_pictures(message) else ()
            found.append(_as_text(message))
            continue
        if shown and not isinstance(message, HumanMessage):
            found.append(HumanMessage(shown))
        found.append(_showing(shown, message) if shown and isinstance(message, HumanMessage) else message)
        shown = []
    return [*found, HumanMessage(shown)] if shown else found


def _as_text(message: ToolMessage) -> ToolMessage:
    """A result without its pictures, which is not empty where it has some."""
    if not has_pictures(message):
        return message
    return message.model_copy(update={"content": str(message.text) or FOLLOWS})


def _showing(pictures: Sequence[Any], message: HumanMessage) -> HumanMessage:
    """The message with these pictures before what it says."""
    content = message.content
    said = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return message.model_copy(update={"content": [*pictures, *said]})


def _text(block: Any) -> str:
    return block if isinstance(block, str) else str(block.get("text") or "")


def picture_tokens(messages: Sequence[BaseMessage]) -> int:
    """An estimate of the tokens that the pictures of messages take: by their size."""
    found: list[Any] = [block for each in messages if isinstance(each.content, list) for block in each.content]
    return sum(_tokens(block) for block in found if is_picture(block))


def _tokens(block: dict[str, Any]) -> int:
    found = size(block)
    return UNKNOWN if found is None else max(LEAST, -(-found[0] * found[1] // PIXELS_PER_TOKEN))


def data(block: Mapping[str, Any]) -> bytes:
    """The bytes of a picture that holds them. Raises ValueError for another."""
    return b64decode(_base64(block))


def _base64(block: Mapping[str, Any]) -> str:
    address = block.get("image_url")
    url = address.get("url") if isinstance(address, dict) else address
    return str(block.get("base64") or (str(url).partition(";base64,")[2] if url else ""))


def size(block: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height, as the beginning of the picture says; None where it does not."""
    from PIL import Image

    try:
        with Image.open(BytesIO(b64decode(_base64(block)[:HEADER])), formats=("PNG", "JPEG", "WEBP")) as image:
            return image.size
    except (OSError, ValueError, Base64Error):
        return None
