"""Annotations of a text: where it names a passage of a file, as OpenAI's `file_citation`. Knows no route."""

from typing import Literal, Self

from langchain_core.documents import Document
from pydantic import BaseModel

from api.http.sources import By, marked_by
from chains.report import Report
from documents.alignment import cited
from documents.marker import Marker
from documents.part import Box
from documents.source import Source


class FileCitation(BaseModel):
    """A place of the text that names a passage of a file.

    `type`, `file_id`, `filename` and `index` (where in the text the marker ends, in characters) are OpenAI's; beside
    them stand the passage, and who wrote the marker: the model, or this server where the model wrote none.
    """

    type: Literal["file_citation"] = "file_citation"
    file_id: str
    filename: str
    index: int
    start_index: int
    end_index: int
    number: int
    page: int | None
    place: str | None
    quote: str
    by: By
    region: list[Box] | None = None

    def moved(self, by: int) -> Self:
        """The same place where so many characters stand before the text."""
        places = {name: getattr(self, name) + by for name in ("index", "start_index", "end_index")}
        return self.model_copy(update=places)


def file_citations(text: str, report: Report, question: str) -> list[FileCitation]:
    """The annotations of a reply to a question, in the order of the text."""
    sources, markers = cited(text, report.passages, question)
    by_number = {source.number: source for source in sources}
    return [
        _file_citation(by_number[number], report.passages[number - 1], marker)
        for marker in markers
        for number in marker.numbers
    ]


def _file_citation(source: Source, passage: Document, marker: Marker) -> FileCitation:
    return FileCitation(
        file_id=str(passage.metadata["document"]),
        filename=source.file,
        index=marker.end,
        start_index=marker.start,
        end_index=marker.end,
        number=source.number,
        page=source.page,
        place=source.place,
        quote=source.quote,
        by=marked_by(marker),
        region=list(source.region) if source.region else None,
    )
