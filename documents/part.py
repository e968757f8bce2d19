"""A part of a file as its reader gives it, and the bounds that readers keep to. Knows texts and numbers only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A text of a file: that of page `page` of `of`, from 1, or where `place` says in words."""

    text: str
    page: int = 1
    of: int = 1
    place: str | None = None


@dataclass(frozen=True)
class Limits:
    """The most pages of a file, and the most characters of all of them."""

    pages: int
    characters: int


class UnreadableFileError(ValueError):
    """What is wrong with the file, as the end of a sentence that begins with its name."""
