"""The indexes of the documents that were searched last: built once each, in the memory of this process. Knows tables.

The words of a document never change, so an index is named by its documents and by what makes vectors now; with one of
its documents it is forgotten. Vectors may follow while it is kept: those that came are read with the next question.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from langchain_core.documents import Document as Found
from sqlalchemy import case, func, select

from conversations.store.database import Database
from conversations.store.schema import Document, Passage
from documents.embedding import Embedder, current_embedder
from documents.search import EmbeddedPassages, Index, Vectors
from settings import SettingsError

log = logging.getLogger(__name__)
MAX_INDEXES = 8
Name = tuple[str, ...]
_indexes: OrderedDict[Name, tuple[int, Index]] = OrderedDict()  # with how many of the passages had vectors then
_building: dict[Name, threading.Lock] = {}
_lock = threading.Lock()


def get_index(database: Database, document_ids: Sequence[str]) -> Index:
    """The index of these documents. The caller has asked whose they are."""
    embedder = _usable_embedder()
    name = (str(database.url), embedder.name if embedder is not None else "", *sorted(document_ids))
    with _lock:
        building = _building.setdefault(name, threading.Lock())
    with building:  # two who ask at once would both build it; who asks for others does not wait
        count = _count_vectors(database, document_ids, embedder) if embedder is not None else 0
        known, index = _indexes.get(name) or (-1, None)
        if index is None:
            index = _build(database, document_ids)
        if known != count and embedder is not None:
            index = index.with_vectors(_read_vectors(database, document_ids, embedder))
        with _lock:
            _building.pop(name, None)
            _indexes[name] = (count, index)
            _indexes.move_to_end(name)
            while len(_indexes) > MAX_INDEXES:
                _indexes.popitem(last=False)
        return index


def vector_counts(database: Database, document_ids: Sequence[str]) -> tuple[int, int]:
    """How many passages can be found by meaning now, and how many once all vectors are made."""
    embedder = _usable_embedder()
    if embedder is None:
        return 0, 0
    query = select(func.sum(Document.vectors), func.sum(Document.passages)).where(Document.id.in_(document_ids))
    with database.reading() as session:
        done, of = session.execute(query.where(Document.embedding == embedder.name)).one()
    return int(done or 0), int(of or 0)


def evict(document_id: str) -> None:
    """Drop every index with this document."""
    with _lock:
        for name in [name for name in _indexes if document_id in name]:
            del _indexes[name]


def _usable_embedder() -> Embedder | None:
    """What makes vectors now; None, and a line in the log, where a variable is wrong: no reply fails because of it."""
    try:
        return current_embedder()
    except SettingsError as error:
        log.warning("documents are searched by words alone: %s", error)
        return None


def _build(database: Database, document_ids: Sequence[str]) -> Index:
    """The index of words alone."""
    places = (Passage.page, Passage.place, Passage.start, Passage.end, Passage.region)
    columns = (Document.name, Document.id, Passage.id, *places)
    query = select(*columns, Passage.text).join(Document).where(Document.id.in_(document_ids))
    with database.reading() as session:
        rows = session.execute(query.order_by(Document.created, Passage.id)).all()
    names = ("file", "document", "passage", "page", "place", "start", "end", "region")
    return Index([Found(row.text, metadata=dict(zip(names, row, strict=False))) for row in rows])


def _count_vectors(database: Database, document_ids: Sequence[str], embedder: Embedder) -> int:
    """How many passages have a vector that this embedder made."""
    query = select(func.sum(Document.vectors)).where(Document.id.in_(document_ids))
    with database.reading() as session:
        return session.scalar(query.where(Document.embedding == embedder.name)) or 0


def _read_vectors(database: Database, document_ids: Sequence[str], embedder: Embedder) -> EmbeddedPassages | None:
    """The vectors that there are, in the order of the passages."""
    vector = case((Document.embedding == embedder.name, Passage.vector))
    query = select(vector).select_from(Passage).join(Document).where(Document.id.in_(document_ids))
    with database.reading() as session:
        vectors = _vectors(session.scalars(query.order_by(Document.created, Passage.id)).all())
    return embedder.index_vectors(vectors) if vectors is not None else None


def _vectors(stored: Sequence[bytes | None]) -> Vectors | None:
    """A row for each passage, zeros where it has none of the length that the newest has; None without any."""
    size = next((len(each) for each in reversed(stored) if each), 0)
    if not size:
        return None
    zeros = bytes(size)
    buffer = b"".join(each if each is not None and len(each) == size else zeros for each in stored)
    return np.frombuffer(buffer, np.float32).reshape(len(stored), -1)
