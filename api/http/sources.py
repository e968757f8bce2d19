"""Citations: the passages of documents that a reply was made from, as clients get them. Knows no route."""

from collections.abc import Sequence
from dataclasses import asdict

from langchain_core.documents import Document
from pydantic import BaseModel, ConfigDict, JsonValue

from documents.source import source_of

EXAMPLE: dict[str, JsonValue] = {
    "file": "notes.pdf",
    "page": 7,
    "place": "page 7",
    "quote": "The lighthouse was built in 1874.",
    "score": 9.1532,
}


class Citation(BaseModel):
    """A passage: `quote` is the exact text; a higher `score` is better.

    `place` says in words where it stands ("page 7", "Prices!A2:D9"), `page` is that number; null where there is none.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    file: str
    page: int | None
    place: str | None
    quote: str
    score: float


def to_citations(passages: Sequence[Document]) -> list[Citation]:
    """The citations of these passages, in their order."""
    return [Citation(**asdict(source_of(passage))) for passage in passages]
