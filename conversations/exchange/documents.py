"""A conversation's documents and what replies quote of them, out of the tables and into them. Knows tables; no file.

What made the vectors of passages is not carried: it may be another where the conversation goes.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from conversations.exchange.citations import passages
from conversations.exchange.errors import ExchangeError
from conversations.exchange.schema import PAGED, DocumentForm
from conversations.store.schema import Citation, Document, Passage
from documents.settings import Limits
from documents.split import apart, whole

Place = tuple[int, int]  # a document's number in the form, and where a passage begins


def papers_of(session: Session, identity: str) -> dict[str, dict[str, Any]]:
    """The documents of a conversation in our form by their ids, in the order in which they came."""
    order = select(func.min(Passage.id)).where(Passage.document_id == Document.id).scalar_subquery()
    names = [name for name in DocumentForm.model_fields if name != "pages"]
    columns = (Document.id, Document.pages, Document.text, *(getattr(Document, name) for name in names))
    query = select(*columns).where(Document.conversation_id == identity).order_by(order)
    return {
        row.id: {**{name: getattr(row, name) for name in names}, "pages": _pages(session, row.id, row.text, row.pages)}
        for row in session.execute(query).all()
    }


def _pages(session: Session, number: str, text: str, count: int | None) -> list[str]:
    if count is None:
        return [text]
    first = select(Passage.page, func.min(Passage.begins)).where(Passage.document_id == number).group_by(Passage.page)
    return apart(text, {page: begins for page, begins in session.execute(first) if page is not None}, count)


def sources_of(session: Session, identity: str, numbers: Sequence[str]) -> dict[int, list[dict[str, Any]]]:
    """What messages were made from, in our form by the messages' ids."""
    columns = (Citation.message_id, Passage.document_id, Passage.begins, Citation.score)
    query = select(*columns).join(Passage, Passage.id == Citation.passage_id).join(Document)
    query = query.where(Document.conversation_id == identity).order_by(Citation.message_id, Citation.place)
    found: dict[int, list[dict[str, Any]]] = {}
    for message, document, begins, score in session.execute(query):
        made = {"document": numbers.index(document), "begins": begins, "score": score}
        found.setdefault(message, []).append(made)
    return found


def keep(session: Session, conversation: Mapping[str, Any], identity: str, owner: str, numbers: Sequence[int]) -> int:
    """Write them for the conversation `identity`, whose messages have these numbers in the table; how many they are."""
    places: dict[Place, int] = {}
    for number, document in enumerate(conversation.get("documents", ())):
        places |= {(number, begins): at for begins, at in _kept(session, document, identity, owner).items()}
    rows = [
        {"message_id": at, "place": place, "passage_id": places[source["document"], source["begins"]],
         "score": source["score"]}
        for at, message in zip(numbers, conversation["messages"], strict=True)
        for place, source in enumerate(message.get("sources", ()), 1)
    ]  # fmt: skip
    if rows:
        session.execute(insert(Citation), rows)
    return len(conversation.get("documents", ()))


def counted(session: Session, owner: str, limits: Limits) -> None:
    """Raises ExchangeError where somebody has more documents than he may keep."""
    count = session.scalar(select(func.count()).select_from(Document).where(Document.owner == owner)) or 0
    if count > limits.max_files:
        raise ExchangeError(
            f"with its documents you would keep {count}, and at most {limits.max_files} are kept "
            "(DOCUMENTS_MAX_FILES): delete some"
        )


def _kept(session: Session, document: Mapping[str, Any], identity: str, owner: str) -> dict[int, int]:
    """Write one; its passages' ids by where they begin."""
    pieces, pages = list(passages(document)), document["pages"]
    row = Document(
        id=f"file-{secrets.token_urlsafe(16)}", owner=owner, conversation_id=identity, name=document["name"],
        kind=document["kind"], bytes=document["bytes"], pages=len(pages) if PAGED[document["kind"]] else None,
        passages=len(pieces), text=whole(pages), created=document["created"],
    )  # fmt: skip
    rows = [{"document_id": row.id, "page": p.page, "begins": p.start, "ends": p.end, "text": p.text} for p in pieces]
    session.add(row)
    session.flush()
    session.execute(insert(Passage), rows)
    query = select(Passage.begins, Passage.id).where(Passage.document_id == row.id).order_by(Passage.id.desc())
    return dict(session.execute(query).all())
