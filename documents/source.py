"""A passage as people see it: file, place and exact words. Knows what a search found; nothing of how it is shown."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from langchain_core.documents import Document

from documents.part import Box
from prompts.passages import format_location


@dataclass(frozen=True)
class Source:
    """`quote` is the exact text; `place` says where it stands, `page` is the number of that; None where it has none.

    `number` is the one that it has in the prompt, from 1, and in the reply's markers. Of what was read from a picture
    `region` are the boxes of its lines (left, top, right, bottom, as shares of the page). `document` is the file's id,
    which makes no other passage of the same one.
    """

    file: str
    page: int | None
    place: str | None
    quote: str
    score: float
    number: int
    region: tuple[Box, ...] | None = None
    document: str | None = field(default=None, compare=False)

    @property
    def location(self) -> str:
        """The file's name, with the place where there is one."""
        return format_location(self.file, self.place)


def sources_of(passages: Sequence[Document]) -> list[Source]:
    """The sources of passages that a search found, or that stand in a prompt, numbered from 1."""
    return [_source_of(passage, number) for number, passage in enumerate(passages, 1)]


def _source_of(passage: Document, number: int) -> Source:
    metadata = passage.metadata
    page, place = metadata.get("page"), metadata.get("place")
    return Source(
        metadata["file"],
        page,
        place,
        passage.page_content,
        metadata.get("score", 0.0),
        number,
        to_region(metadata.get("region")),
        metadata.get("document"),
    )


def to_region(boxes: Sequence[Sequence[float]] | None) -> tuple[Box, ...] | None:
    """The boxes of lines as they were kept; None where there are none."""
    return tuple((left, top, right, bottom) for left, top, right, bottom in boxes) if boxes else None


def source_values(source: Source) -> dict[str, Any]:
    """What everybody may see of a source, for JSON: all but the file's id."""
    return {name: value for name, value in asdict(source).items() if name != "document"}
