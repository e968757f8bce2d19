"""A text cut into passages that know where they stand. Knows parts and characters; nothing of files or models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from langchain_text_splitters import RecursiveCharacterTextSplitter

from documents.part import PASSAGE_LENGTH as PASSAGE_LENGTH
from documents.part import Box, Line, Part

OVERLAP = 70
PAGE_BREAK = "\n\n"  # between two parts in the whole text


@dataclass(frozen=True)
class Passage:
    """`text` is the whole text from `start` to `end`, in characters; page and place are those of its part.

    `region` holds the boxes of its lines on that page, where it was read from a picture.
    """

    text: str
    page: int | None
    place: str | None
    start: int
    end: int
    region: tuple[Box, ...] | None = None


def split_parts(parts: Sequence[Part], length: int = PASSAGE_LENGTH, overlap: int = OVERLAP) -> Iterator[Passage]:
    """The passages of each part, none of which reaches into the next one."""
    splitter = RecursiveCharacterTextSplitter(chunk_size=length, chunk_overlap=overlap, add_start_index=True)
    before = 0
    for part in parts:
        for piece in splitter.create_documents([part.text]):
            first, text = piece.metadata["start_index"], piece.page_content
            start, last = before + first, first + len(text)
            yield Passage(text, part.page, part.place, start, start + len(text), _region(part.lines, first, last))
        before += len(part.text) + len(PAGE_BREAK)


def _region(lines: Sequence[Line], start: int, end: int) -> tuple[Box, ...] | None:
    """The boxes of the lines of which something stands between two places."""
    return tuple(line.box for line in lines if line.start < end and line.end > start) or None


def join_parts(parts: Sequence[Part]) -> str:
    """The text that passages are pieces of."""
    return PAGE_BREAK.join(part.text for part in parts)


def separate_parts(text: str, page_starts: Mapping[int, int], count: int) -> list[str]:
    """The texts of `count` parts that were joined, none with white space around it, by where those with words begin."""
    pages, after, end = [""] * count, count + 1, len(text) + len(PAGE_BREAK)
    for number in sorted(page_starts, reverse=True):
        pages[number - 1] = text[page_starts[number] : end - len(PAGE_BREAK) * (after - number)]
        after, end = number, page_starts[number]
    return pages
