"""Pictures as Ollama's clients send them: base64 beside a message's text. Knows messages' fields; no route."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from api.http.pictures import DATA, Pictures
from backends import vision
from documents.pictures.prepare import check_count
from documents.pictures.settings import PictureSettings

PREFIX = f"{DATA}image/*;base64,"  # its own bytes say which kind it is
Images = Sequence[str] | None


def _address(image: str) -> str:
    """The address that the rest of the API has for a picture."""
    return image if image.startswith(DATA) else f"{PREFIX}{image}"


def addresses(messages: Iterable[Images], limits: PictureSettings) -> Iterator[str]:
    """The pictures of all messages. Raises PictureError for a message with too many."""
    for images in messages:
        check_count(len(images or ()), limits)
        yield from map(_address, images or ())


def content_of(text: str, images: Images, pictures: Pictures) -> Any:
    """What a message holds for the chain: its pictures before its text."""
    if not images:
        return text
    found = [pictures[_address(image)] for image in images]
    blocks = [vision.to_block(each.mime_type, each.base64) for each in found]
    return [*blocks, {"type": "text", "text": text}] if text else blocks
