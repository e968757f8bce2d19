"""Which passages a reply was made from: kept with it, and gone with the document. Knows tables; no owner."""

from collections.abc import Sequence

from langchain_core.documents import Document as Found
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from conversations.store.database import Database
from conversations.store.schema import Citation, Document, Passage
from documents.source import Source as Source
from documents.source import source as source


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
