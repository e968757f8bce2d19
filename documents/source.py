"""A passage as people see it: file, page and exact words. Knows what a search found; nothing of how it is shown."""

from dataclasses import dataclass

from langchain_core.documents import Document


@dataclass(frozen=True)
class Source:
    """`quote` is the exact text; `page` counts from 1, None where there are none."""

    file: str
    page: int | None
    quote: str
    score: float

    @property
    def place(self) -> str:
        """File and page in words."""
        return f"{self.file}, page {self.page}" if self.page else self.file


def source_of(passage: Document) -> Source:
    """The same of a passage that was just found."""
    held = passage.metadata
    return Source(held["file"], held.get("page"), passage.page_content, held.get("score", 0.0))
