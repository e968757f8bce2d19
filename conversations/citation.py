"""Which passages a reply was made from: kept with it, and gone with the document. Knows tables; no owner."""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.documents import Document as Found
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from conversations.database import Database
from conversations.schema import Citation, Document, Passage


@dataclass(frozen=True)
class Source:
    """A passage as people see it: `quote` is the exact text; `page` counts from 1, None where there are none."""

    file: str
    page: int | None
    quote: str
    score: float

    @property
    def place(self) -> str:
        """File and page in words."""
        return f"{self.file}, page {self.page}" if self.page else self.file


def source(found: Found) -> Source:
    """The same of a passage that was just found."""
    held = found.metadata
    return Source(held["file"], held.get("page"), found.page_content, held.get("score", 0.0))


def cite(database: Database, number: int, passages: Sequence[Found]) -> None:
    """Keep them with a message, best first, and no others; what was deleted meanwhile is left out."""
    wanted = {each.metadata["passage"]: each.metadata["score"] for each in passages}
    with database.writing() as session:
        session.execute(delete(Citation).where(Citation.message_id == number))
        there = set(session.scalars(select(Passage.id).where(Passage.id.in_(wanted))))
        kept = [(passage, score) for passage, score in wanted.items() if passage in there]
        for place, (passage, score) in enumerate(kept, 1):
            session.add(Citation(message_id=number, place=place, passage_id=passage, score=score))


def sources_of(session: Session, numbers: Sequence[int]) -> dict[int, list[Source]]:
    """What these messages were made from, best first."""
    columns = (Citation.message_id, Document.name, Passage.page, Passage.text, Citation.score)
    query = select(*columns).join(Passage, Passage.id == Citation.passage_id).join(Document)
    query = query.where(Citation.message_id.in_(numbers)).order_by(Citation.message_id, Citation.place)
    found: dict[int, list[Source]] = {}
    for number, name, page, text, score in session.execute(query):
        found.setdefault(number, []).append(Source(name, page, text, score))
    return found
