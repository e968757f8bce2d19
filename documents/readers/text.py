"""Plain text and Markdown, as they stand. Knows line ends; nothing of what the lines mean."""

from collections.abc import Iterator
from pathlib import Path

from documents.encoding import read_text
from documents.part import Limits, Part


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The whole text. Raises UnreadableFileError."""
    yield Part("\n".join(read_text(path).replace("\r\n", "\n").split("\r")))
