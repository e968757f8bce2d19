"""A passage as people see it: file, page and exact words. Knows what a search found; nothing of how it is shown."""

from dataclasses import dataclass

from langchain_core.documents import Document

from prompts.passages import format_location


@dataclass(frozen=True)
class Source:
    """`quote` is the exact text; `page` counts from 1, None where there are none."""

    file: str
    page: int | None
    quote: str
    score: float

    @property
    def location(self) -> str:
        """The file's name, with the page where there is one."""
        return format_location(self.file, self.page)


def source_of(passage: Document) -> Source:
    """The source of a passage that a search found."""
    metadata = passage.metadata
    return Source(metadata["file"], metadata.get("page"), passage.page_content, metadata.get("score", 0.0))
