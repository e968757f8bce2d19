"""HTML: what a browser would show of it, without scripts and styles. Knows markup; fetches nothing."""

from collections.abc import Iterator
from pathlib import Path

from documents.encoding import read_text
from documents.part import Limits, Part


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The whole text. Raises UnreadableFileError."""
    from bs4 import BeautifulSoup

    yield Part(BeautifulSoup(read_text(path), "html.parser").get_text("\n"))
