"""The documents of an owner: added whole or not at all, listed, searched, deleted. Knows tables; no page and no model.

What does not belong to the owner is not found, whatever is asked about it.
"""

import secrets
import time
from collections.abc import Sequence
from itertools import zip_longest

from langchain_core.documents import Document as Found
from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from conversations.library import index as indexes
from conversations.store.database import Database
from conversations.store.schema import Document, Passage
from conversations.store.store import NotFoundError, Store
from conversations.store.text import clean
from documents.embedding import Embedder, EmbeddingError, current
from documents.kind import DocumentError, named
from documents.load import Told, load
from documents.search import TOP, Passages
from documents.settings import Limits
from documents.split import Passage as Piece
from documents.split import split, whole


def add(
    store: Store,
    name: str,
    data: bytes,
    identity: str | None = None,
    told: Told = lambda done, of: None,
    compared: Told = lambda done, of: None,
) -> Document:
    """Read a file and keep it, with the conversation `identity` or without one.

    `told` hears of pages read, `compared` of passages that have vectors. Raises DocumentError (of that EmbeddingError),
    NotFoundError, SettingsError.
    """
    embedder = current()  # a wrong variable is told before anything is read
    limits, name = Limits.read(), named(name)
    with store.database.reading() as session:
        _allowed(session, store, name, identity, limits)
    loaded = load(name, data, limits, told)
    pages = [clean(page) for page in loaded.pages]
    pieces = list(split(pages, loaded.kind.paged))
    vectors = _vectors(embedder, loaded.name, pieces, compared) if embedder is not None else []
    row = Document(
        id=f"file-{secrets.token_urlsafe(16)}", owner=store.owner, conversation_id=identity, name=clean(loaded.name),
        kind=loaded.kind.name, bytes=len(data), pages=len(pages) if loaded.kind.paged else None,
        passages=len(pieces), text=whole(pages), created=time.time(), embedding=embedder and embedder.name,
    )  # fmt: skip
    rows = [
        {"document_id": row.id, "page": p.page, "begins": p.start, "ends": p.end, "text": p.text, "vector": vector}
        for p, vector in zip_longest(pieces, vectors)
    ]
    with store.database.writing() as session:
        _allowed(session, store, name, identity, limits)  # it may have been deleted meanwhile
        _touched(session, store, identity)
        session.add(row)
        session.flush()
        session.execute(insert(Passage), rows)
    return row


def _vectors(embedder: Embedder, name: str, pieces: Sequence[Piece], compared: Told) -> list[bytes]:
    """As they are kept, before anything is written."""
    try:
        return [row.tobytes() for row in embedder.texts([piece.text for piece in pieces], compared)]
    except EmbeddingError as error:
        raise EmbeddingError(f"{name} was not kept: {error}") from error


def _allowed(session: Session, store: Store, name: str, identity: str | None, limits: Limits) -> None:
    if identity is not None:
        store.found(session, identity)
    count = session.scalar(select(func.count()).select_from(Document).where(Document.owner == store.owner)) or 0
    if count >= limits.max_files:
        raise DocumentError(
            f"{name}: you keep {count} documents, the most there may be (DOCUMENTS_MAX_FILES). Delete one."
        )


def _touched(session: Session, store: Store, identity: str | None) -> None:
    """Other tabs draw a conversation anew when it has changed."""
    if identity is not None:
        store.locked(session, identity).updated = time.time()


def listing(store: Store, identity: str | None = None) -> list[Document]:
    """The documents of a conversation, or those without one, oldest first. Raises NotFoundError."""
    with store.database.reading() as session:
        if identity is not None:
            store.found(session, identity)
        mine = _mine(store).where(Document.conversation_id == identity)
        return list(session.scalars(mine.order_by(Document.created)))


def get(store: Store, number: str) -> Document:
    """Raises NotFoundError."""
    with store.database.reading() as session:
        return _one(session, store, number)


def content(store: Store, number: str) -> str:
    """The whole text of a document. Raises NotFoundError."""
    with store.database.reading() as session:
        _one(session, store, number)
        return session.scalars(select(Document.text).where(Document.id == number)).one()


def remove(store: Store, number: str) -> None:
    """Delete a document with its passages; replies lose what they quote of it. Raises NotFoundError."""
    with store.database.writing() as session:
        found = _one(session, store, number)
        _touched(session, store, found.conversation_id)
        session.delete(found)
    indexes.forget(number)


def _mine(store: Store) -> Select[Document]:
    return select(Document).where(Document.owner == store.owner)


def _one(session: Session, store: Store, number: str) -> Document:
    found = session.scalar(_mine(store).where(Document.id == number))
    if found is None:
        raise NotFoundError(f"There is no document {number!r} of yours.")
    return found


def retriever(database: Database, identity: str) -> Passages | None:
    """What finds passages in a conversation's documents; None where it has none. The caller has asked whose it is."""
    with database.reading() as session:
        numbers = list(session.scalars(select(Document.id).where(Document.conversation_id == identity)))
    return Passages(index=indexes.index(database, numbers)) if numbers else None


def among(store: Store, numbers: Sequence[str]) -> Passages:
    """What finds passages in these documents of the owner. Raises NotFoundError."""
    with store.database.reading() as session:
        for number in numbers:
            _one(session, store, number)
    return Passages(index=indexes.index(store.database, list(dict.fromkeys(numbers))))


def find(store: Store, identity: str, question: str, top: int = TOP) -> list[Found]:
    """The best passages in a conversation's documents, without any model. Raises NotFoundError."""
    store.get(identity)
    found = retriever(store.database, identity)
    return found.index.search(question, top) if found is not None else []
