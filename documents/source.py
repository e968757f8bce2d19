"""A passage as people see it: file, place and exact words. Knows what a search found; nothing of how it is shown."""

from dataclasses import dataclass

from langchain_core.documents import Document

from prompts.passages import format_location


@dataclass(frozen=True)
class Source:
    """`quote` is the exact text; `place` says where it stands, `page` is the number of that; None where it has none."""

    file: str
    page: int | None
    place: str | None
    quote: str
    score: float

    @property
    def location(self) -> str:
        """The file's name, with the place where there is one."""
        return format_location(self.file, self.place)


def source_of(passage: Document) -> Source:
    """The source of a passage that a search found."""
    metadata = passage.metadata
    page, place = metadata.get("page"), metadata.get("place")
    return Source(metadata["file"], page, place, passage.page_content, metadata.get("score", 0.0))
