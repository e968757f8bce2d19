"""A part of a file as its reader gives it, and the bounds that readers keep to. Knows texts and numbers only."""

from collections.abc import Sequence
from dataclasses import dataclass

PASSAGE_LENGTH = 500  # characters: two or three fit beside a question in a window of 1,024 tokens
PROTECTED = "is protected by a password: save it without one and attach it again."
BROKEN = "is damaged or cut short and cannot be read: save it anew, or get it once more."


@dataclass(frozen=True)
class Part:
    """A text of a file. `place` is where it stands, in words ("page 7", "Prices!A2:D9"), None where its kind has none.

    `page` is the number of a page or slide, of `of`, from 1; None where its kind has none. Of an unread one the text
    only says why.
    """

    text: str
    page: int | None = None
    of: int = 1
    place: str | None = None
    is_unread: bool = False


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
    """The most pages of a file, and the most characters of all of them."""

    pages: int
    characters: int

    def check_pages(self, count: int, unit: str = "pages") -> None:
        """Check how many there are. Raises UnreadableFileError for too many."""
        if count > self.pages:
            raise UnreadableFileError(
                f"has {count:,} {unit}; at most {self.pages:,} are read (DOCUMENTS_MAX_PAGES). Attach a part of it."
            )


class UnreadableFileError(ValueError):
    """What is wrong with the file, as the end of a sentence that begins with its name."""
