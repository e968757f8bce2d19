"""Citations: the passages of documents that a reply was made from, as clients get them. Knows no route."""

from collections.abc import Sequence
from dataclasses import asdict

from langchain_core.documents import Document
from pydantic import BaseModel, ConfigDict, JsonValue

from documents.source import source_of

EXAMPLE: dict[str, JsonValue] = {
    "file": "notes.pdf",
    "page": 7,
    "quote": "The lighthouse was built in 1874.",
    "score": 9.1532,
}


class Citation(BaseModel):
    """A passage: `quote` is the exact text; `page` counts from 1, or is null; a higher `score` is better."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    file: str
    page: int | None
    quote: str
    score: float


def to_citations(passages: Sequence[Document]) -> list[Citation]:
    """The citations of these passages, in their order."""
    return [Citation(**asdict(source_of(passage))) for passage in passages]
