"""A text cut into passages that know where they stand. Knows pages and characters; nothing of files or models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from langchain_text_splitters import RecursiveCharacterTextSplitter

PASSAGE_LENGTH = 500  # characters of a passage: two or three fit beside a question in a window of 1,024 tokens
OVERLAP = 70
PAGE_BREAK = "\n\n"  # two pages in the whole text


@dataclass(frozen=True)
class Passage:
    """`text` is the whole text from `start` to `end`, in characters; `page` counts from 1, None without pages."""

    text: str
    page: int | None
    start: int
    end: int


def split_pages(
    pages: Sequence[str], paged: bool, length: int = PASSAGE_LENGTH, overlap: int = OVERLAP
) -> Iterator[Passage]:
    """The passages of each page, none of which reaches into the next one."""
    splitter = RecursiveCharacterTextSplitter(chunk_size=length, chunk_overlap=overlap, add_start_index=True)
    before = 0
    for number, page in enumerate(pages, 1):
        for piece in splitter.create_documents([page]):
            start = before + piece.metadata["start_index"]
            text = piece.page_content
            yield Passage(text, number if paged else None, start, start + len(text))
        before += len(page) + len(PAGE_BREAK)


def join_pages(pages: Sequence[str]) -> str:
    """The text that passages are pieces of."""
    return PAGE_BREAK.join(pages)


def separate_pages(text: str, page_starts: Mapping[int, int], count: int) -> list[str]:
    """The `count` pages that `whole` joined, none with white space around it; where those with words begin, from 1."""
    pages, after, end = [""] * count, count + 1, len(text) + len(PAGE_BREAK)
    for number in sorted(page_starts, reverse=True):
        pages[number - 1] = text[page_starts[number] : end - len(PAGE_BREAK) * (after - number)]
        after, end = number, page_starts[number]
    return pages
