"""A part of a file as its reader gives it, and the bounds that readers keep to. Knows texts and numbers only."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

PASSAGE_LENGTH = 500  # characters: two or three fit beside a question in a window of 1,024 tokens
PROTECTED = "is protected by a password: save it without one and attach it again."
BROKEN = "is damaged or cut short and cannot be read: save it anew, or get it once more."
Box = tuple[float, float, float, float]  # left, top, right and bottom, as shares of a page's width and height


class Unread(StrEnum):
    """Why a page has no text."""

    FONT = "font"  # it does not say which letters its signs stand for
    PICTURE = "picture"  # there is nothing but a picture, and what reads those is not installed


@dataclass(frozen=True)
class Line:
    """A line that was read from a picture: its part's text from `start` to `end`, and where it stands on the page."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True)
class Part:
    """A text of a file. `place` is where it stands, in words ("page 7", "Prices!A2:D9"), None where its kind has none.

    `page` is the number of a page or slide, of `of`, from 1; None where its kind has none. Of an unread one the text
    says at most why. What was read from a picture has `lines`, and a small `picture` of the page as WebP.
    """

    text: str
    page: int | None = None
    of: int = 1
    place: str | None = None
    unread: Unread | None = None
    lines: tuple[Line, ...] = ()
    picture: bytes | None = field(default=None, repr=False)


def part_to_json(part: Part) -> str:
    """A part as a line of JSON."""
    picture = b64encode(part.picture).decode() if part.picture is not None else None
    return json.dumps({**asdict(part), "picture": picture})


def part_from_json(values: Mapping[str, Any]) -> Part:
    """The part that `part_to_json` wrote."""
    lines = tuple(Line(each["start"], each["end"], _box(each["box"])) for each in values.get("lines") or ())
    unread, picture = values.get("unread"), values.get("picture")
    return Part(
        values["text"],
        values.get("page"),
        values.get("of", 1),
        values.get("place"),
        Unread(unread) if unread else None,
        lines,
        b64decode(picture) if picture else None,
    )


def _box(values: Sequence[float]) -> Box:
    left, top, right, bottom = values
    return left, top, right, bottom


def format_pages(numbers: Sequence[int]) -> str:
    """Some pages in words: "page 3", "pages 3 to 9", "pages 3, 5 and 9"."""
    if len(numbers) == 1:
        return f"page {numbers[0]}"
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"pages {numbers[0]} to {numbers[-1]}"
    return f"pages {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def number_parts(texts: Sequence[str], unit: str) -> list[Part]:
    """The parts of a file that consists of pages, or of what else `unit` names."""
    return [Part(text, number, len(texts), f"{unit} {number}") for number, text in enumerate(texts, 1)]


@dataclass(frozen=True)
class Limits:
    """The bounds of one file: pages, characters, seconds of processor time, and of what is read from pictures.

    `page_seconds` is the time that one page may take there, `workers` how many are read at a time, `pixels` the size of
    one picture. `done` are the numbers of pages that were read before and are not asked for again.
    """

    pages: int
    characters: int
    seconds: int = 300
    page_seconds: int = 60
    workers: int = 1
    pixels: int = 100_000_000
    done: tuple[int, ...] = ()

    def check_pages(self, count: int, unit: str = "pages") -> None:
        """Check how many there are. Raises UnreadableFileError for too many."""
        if count > self.pages:
            raise UnreadableFileError(
                f"has {count:,} {unit}; at most {self.pages:,} are read (DOCUMENTS_MAX_PAGES). Attach a part of it."
            )

    def check_pixels(self, width: int, height: int, what: str = "has") -> None:
        """Check the size of a picture before it is unpacked. Raises UnreadableFileError for a larger one."""
        if width * height > self.pixels:
            raise UnreadableFileError(
                f"{what} {width:,} x {height:,} pixels; at most {self.pixels / 1e6:,.0f} million are read "
                "(DOCUMENTS_MAX_PIXELS). Save it smaller and attach that."
            )


class UnreadableFileError(ValueError):
    """What is wrong with the file, as the end of a sentence that begins with its name."""
