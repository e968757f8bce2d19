"""A conversation's documents and what replies quote of them, out of the tables and into them. Knows tables; no file.

What made the vectors of passages is not carried: it may be another where the conversation goes.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.orm import Session

from conversations.exchange.citations import numbered_sources, parts_of
from conversations.exchange.errors import ExchangeError
from conversations.exchange.schema import DocumentSchema
from conversations.store.schema import Citation, Document, Passage
from documents.kind import UNITS
from documents.settings import DocumentSettings
from documents.split import join_parts, separate_parts, split_parts

PassageKey = tuple[int, int]  # a document's number in the form, and where a passage begins


def read_documents(session: Session, owned: ColumnElement[bool]) -> dict[str, dict[str, Any]]:
    """The documents of which this is so in our form by their ids, in the order in which they came."""
    order = select(func.min(Passage.id)).where(Passage.document_id == Document.id).scalar_subquery()
    names = [name for name in DocumentSchema.model_fields if name not in {"pages", "places"}]
    columns = (Document.id, Document.pages, Document.text, *(getattr(Document, name) for name in names))
    query = select(*columns).where(owned).order_by(order)
    return {
        row.id: {
            **{name: getattr(row, name) for name in names},
            **_read_parts(session, row.id, row.text, row.pages),
        }
        for row in session.execute(query).all()
    }


def _read_parts(session: Session, document_id: str, text: str, count: int | None) -> dict[str, list[str]]:
    """The texts of a document's `pages`, or those of its `places`."""
    columns = (Passage.page, Passage.place, func.min(Passage.start))
    query = select(*columns).where(Passage.document_id == document_id).group_by(Passage.page, Passage.place)
    rows = sorted(session.execute(query), key=lambda row: row[2])
    if count is not None:
        return {"pages": separate_parts(text, {page: start for page, _, start in rows if page is not None}, count)}
    places = [place for _, place, _ in rows if place is not None]
    if not places:
        return {"pages": [text]}
    starts = {number: start for number, (_, _, start) in enumerate(rows, 1)}
    return {"pages": separate_parts(text, starts, len(places)), "places": places}


def read_sources(
    session: Session, conversation_id: str, document_ids: Sequence[str]
) -> dict[int, list[dict[str, Any]]]:
    """What messages were made from, in our form by the messages' ids."""
    columns = (Citation.message_id, Passage.document_id, Passage.start, Citation.score, Citation.rank)
    query = select(*columns).join(Passage, Passage.id == Citation.passage_id).join(Document)
    query = query.where(Document.conversation_id == conversation_id).order_by(Citation.message_id, Citation.rank)
    sources: dict[int, list[dict[str, Any]]] = {}
    for message, document, start, score, number in session.execute(query):
        source = {"document": document_ids.index(document), "begins": start, "score": score}
        listed = sources.setdefault(message, [])
        listed.append(source if number == len(listed) + 1 else {**source, "number": number})
    return sources


def save_documents(
    session: Session, conversation: Mapping[str, Any], conversation_id: str, owner: str, message_ids: Sequence[int]
) -> int:
    """Write them for the conversation `identity`, whose messages have these numbers in the table; how many they are."""
    passage_ids: dict[PassageKey, int] = {}
    for number, document in enumerate(conversation.get("documents", ())):
        saved = save_document(session, document, owner, conversation_id=conversation_id)
        passage_ids |= {(number, start): at for start, at in saved.items()}
    rows = [
        {
            "message_id": at,
            "rank": number,
            "passage_id": passage_ids[source["document"], source["begins"]],
            "score": source["score"],
        }
        for at, message in zip(message_ids, conversation["messages"], strict=True)
        for number, source in numbered_sources(message)
    ]
    if rows:
        session.execute(insert(Citation), rows)
    return len(conversation.get("documents", ()))


def check_document_count(session: Session, owner: str, settings: DocumentSettings) -> None:
    """Check how many documents an owner has. Raises ExchangeError for more than he may keep."""
    count = count_documents(session, owner)
    if count > settings.max_files:
        raise ExchangeError(f"with its documents you would keep {count}, and {too_many(settings)}")


def count_documents(session: Session, owner: str) -> int:
    """How many documents an owner has."""
    return session.scalar(select(func.count()).select_from(Document).where(Document.owner == owner)) or 0


def too_many(settings: DocumentSettings) -> str:
    """What bounds them, and the remedy."""
    return f"at most {settings.max_files} are kept (DOCUMENTS_MAX_FILES): delete some"


def save_document(session: Session, document: Mapping[str, Any], owner: str, **holder: str) -> dict[int, int]:
    """Write one, with the column that says whose it is; its passages' ids by where they begin."""
    parts = parts_of(document)
    pieces = list(split_parts(parts))
    row = Document(
        id=f"file-{secrets.token_urlsafe(16)}",
        owner=owner,
        **holder,
        name=document["name"],
        kind=document["kind"],
        bytes=document["bytes"],
        pages=len(parts) if UNITS[document["kind"]] else None,
        passages=len(pieces),
        text=join_parts(parts),
        created=document["created"],
    )
    rows = [{"document_id": row.id, **asdict(piece)} for piece in pieces]
    session.add(row)
    session.flush()
    session.execute(insert(Passage), rows)
    query = select(Passage.start, Passage.id).where(Passage.document_id == row.id).order_by(Passage.id.desc())
    return dict(session.execute(query).all())
