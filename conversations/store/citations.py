"""Which passages a reply was made from: kept with it, and gone with the document. Knows tables; no owner."""

from collections.abc import Mapping, Sequence

from langchain_core.documents import Document as Found
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from conversations.store.database import Database
from conversations.store.schema import Citation, Document, Passage
from documents.source import Source as Source
from documents.source import to_region


def cite(database: Database, message_id: int, passages: Mapping[int, Found]) -> None:
    """Keep them with a message, by their numbers in its prompt, and no others; what was deleted is left out."""
    wanted = {each.metadata["passage"]: (number, each.metadata["score"]) for number, each in passages.items()}
    with database.writing() as session:
        session.execute(delete(Citation).where(Citation.message_id == message_id))
        existing = set(session.scalars(select(Passage.id).where(Passage.id.in_(wanted))))
        for passage, (number, score) in wanted.items():
            if passage in existing:
                session.add(Citation(message_id=message_id, rank=number, passage_id=passage, score=score))


def read_sources(session: Session, message_ids: Sequence[int]) -> dict[int, list[Source]]:
    """What these messages were made from, by its numbers in the prompt."""
    passage = (Passage.page, Passage.place, Passage.text, Citation.score, Citation.rank, Passage.region)
    query = select(Citation.message_id, Document.name, *passage, Document.id)
    query = query.join(Passage, Passage.id == Citation.passage_id).join(Document)
    query = query.where(Citation.message_id.in_(message_ids)).order_by(Citation.message_id, Citation.rank)
    sources: dict[int, list[Source]] = {}
    for message_id, name, page, place, text, score, number, region, document in session.execute(query):
        source = Source(name, page, place, text, score, number, to_region(region), document)
        sources.setdefault(message_id, []).append(source)
    return sources


def last_cited(session: Session, message_ids: Sequence[int]) -> int | None:
    """The newest of these messages that was made from passages; None where none was."""
    query = select(Citation.message_id).where(Citation.message_id.in_(message_ids))
    return session.scalar(query.order_by(Citation.message_id.desc()).limit(1))
