"""Citations: the passages of documents that a reply was made from, as clients get them. Knows no route."""

from collections.abc import Sequence
from typing import Literal

from langchain_core.documents import Document
from pydantic import BaseModel, ConfigDict, JsonValue

from chains.report import Report
from documents.alignment import cited
from documents.marker import Marker
from documents.part import Box
from documents.source import Source, source_values, sources_of

EXAMPLE: dict[str, JsonValue] = {
    "file": "notes.pdf",
    "page": 7,
    "place": "page 7",
    "quote": "The lighthouse was built in 1874.",
    "score": 9.1532,
    "region": None,
}
MENTIONED_EXAMPLE: dict[str, JsonValue] = {
    **EXAMPLE,
    "number": 1,
    "mentions": [{"start": 21, "end": 24, "by": "model"}],
}
By = Literal["model", "server"]


class Citation(BaseModel):
    """A passage: `quote` is the exact text; a higher `score` is better.

    `place` says in words where it stands ("page 7", "Prices!A2:D9"), `page` is that number; null where there is none.
    Of what was read from a picture `region` holds a box for each line: left, top, right, bottom, as shares of the page.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    file: str
    page: int | None
    place: str | None
    quote: str
    score: float
    region: list[Box] | None = None


class NumberedCitation(Citation):
    """A passage that stood in a prompt; `number` is the one that the reply's markers name it by, such as [1]."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**EXAMPLE, "number": 1}]})

    number: int


class Mention(BaseModel):
    """Where a reply names a passage: its text from `start` to `end`, in characters.

    `by` says who did: the model with a marker, or, where it wrote none at all, this server, which found the words of a
    sentence in the passage; `start` and `end` are the sentence's end then.
    """

    start: int
    end: int
    by: By


class MentionedCitation(NumberedCitation):
    """A passage that stood in a prompt, and where the reply names it; nowhere, where it does not."""

    model_config = ConfigDict(json_schema_extra={"examples": [MENTIONED_EXAMPLE]})

    mentions: list[Mention]


def to_citations(passages: Sequence[Document]) -> list[Citation]:
    """The citations of passages that a search found, in their order."""
    return [Citation(**_fields(source)) for source in sources_of(passages)]


def numbered_citations(sources: Sequence[Source]) -> list[NumberedCitation]:
    """The citations of passages that stood in a prompt."""
    return [NumberedCitation(**source_values(source)) for source in sources]


def mentioned_citations(text: str, report: Report, question: str) -> list[MentionedCitation]:
    """What a reply to a question was made from, and where it says so."""
    sources, markers = cited(text, report.passages, question, only_used=report.whole)
    return [MentionedCitation(**source_values(source), mentions=_mentions(source, markers)) for source in sources]


def marked_by(marker: Marker) -> By:
    """Who wrote a marker."""
    return "server" if marker.is_ours else "model"


def _mentions(source: Source, markers: Sequence[Marker]) -> list[Mention]:
    named = [marker for marker in markers if source.number in marker.numbers]
    return [Mention(start=each.start, end=each.end, by=marked_by(each)) for each in named]


def _fields(source: Source) -> dict[str, object]:
    return {name: value for name, value in source_values(source).items() if name in Citation.model_fields}
