"""A part of a file as its reader gives it, and the bounds that readers keep to. Knows texts and numbers only."""

from dataclasses import dataclass

PROTECTED = "is protected by a password: save it without one and attach it again."
BROKEN = "is damaged or cut short and cannot be read: save it anew, or get it once more."


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
