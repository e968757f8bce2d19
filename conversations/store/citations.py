"""Which passages a reply was made from: kept with it, and gone with the document. Knows tables; no owner."""

from collections.abc import Sequence

from langchain_core.documents import Document as Found
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from conversations.store.database import Database
from conversations.store.schema import Citation, Document, Passage
from documents.source import Source as Source
from documents.source import source_of as source_of


def cite(database: Database, message_id: int, passages: Sequence[Found]) -> None:
    """Keep them with a message, best first, and no others; what was deleted meanwhile is left out."""
    wanted = {each.metadata["passage"]: each.metadata["score"] for each in passages}
    with database.writing() as session:
        session.execute(delete(Citation).where(Citation.message_id == message_id))
        existing = set(session.scalars(select(Passage.id).where(Passage.id.in_(wanted))))
        cited = [(passage, score) for passage, score in wanted.items() if passage in existing]
        for rank, (passage, score) in enumerate(cited, 1):
            session.add(Citation(message_id=message_id, rank=rank, passage_id=passage, score=score))


def read_sources(session: Session, message_ids: Sequence[int]) -> dict[int, list[Source]]:
    """What these messages were made from, best first."""
    columns = (Citation.message_id, Document.name, Passage.page, Passage.place, Passage.text, Citation.score)
    query = select(*columns).join(Passage, Passage.id == Citation.passage_id).join(Document)
    query = query.where(Citation.message_id.in_(message_ids)).order_by(Citation.message_id, Citation.rank)
    sources: dict[int, list[Source]] = {}
    for message_id, name, page, place, text, score in session.execute(query):
        sources.setdefault(message_id, []).append(Source(name, page, place, text, score))
    return sources
