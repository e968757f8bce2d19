"""The indexes of the documents that were searched last: built once each, in the memory of this process. Knows tables.

A document never changes, so an index is named by its documents and by what makes vectors now; with one of its
documents it is forgotten.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from langchain_core.documents import Document as Found
from sqlalchemy import case, select

from conversations.store.database import Database
from conversations.store.schema import Document, Passage
from documents.embedding import Embedder, current
from documents.search import Index, Vectors
from settings import SettingsError

log = logging.getLogger(__name__)
KEPT = 8
Name = tuple[str, ...]
_indexes: OrderedDict[Name, Index] = OrderedDict()
_building: dict[Name, threading.Lock] = {}
_lock = threading.Lock()


def index(database: Database, identities: Sequence[str]) -> Index:
    """The index of these documents. The caller has asked whose they are."""
    embedder = _embedder()
    name = (str(database.url), embedder.name if embedder is not None else "", *sorted(identities))
    with _lock:
        building = _building.setdefault(name, threading.Lock())
    with building:  # two who ask at once would both build it; who asks for others does not wait
        found = _indexes.get(name) or _built(database, identities, embedder)
        with _lock:
            _building.pop(name, None)
            _indexes[name] = found
            _indexes.move_to_end(name)
            while len(_indexes) > KEPT:
                _indexes.popitem(last=False)
        return found


def forget(identity: str) -> None:
    """Drop every index with this document."""
    with _lock:
        for name in [name for name in _indexes if identity in name]:
            del _indexes[name]


def _embedder() -> Embedder | None:
    """What makes vectors now; None, and a line in the log, where a variable is wrong: no reply fails because of it."""
    try:
        return current()
    except SettingsError as error:
        log.warning("documents are searched by words alone: %s", error)
        return None


def _built(database: Database, identities: Sequence[str], embedder: Embedder | None) -> Index:
    columns = (Passage.id, Document.id, Document.name, Passage.page, Passage.begins, Passage.ends, Passage.text)
    vector = case((Document.embedding == (embedder and embedder.name), Passage.vector))
    query = select(*columns, vector).join(Document).where(Document.id.in_(identities))
    with database.reading() as session:
        rows = session.execute(query.order_by(Document.created, Passage.id)).all()
    passages = [
        Found(text, metadata={"file": name, "page": page, "document": document, "passage": number,
                              "start": begins, "end": ends})
        for number, document, name, page, begins, ends, text, _ in rows
    ]  # fmt: skip
    vectors = _vectors([row[-1] for row in rows]) if embedder is not None else None
    return Index(passages, embedder.beside(vectors) if embedder is not None and vectors is not None else None)


def _vectors(kept: Sequence[bytes | None]) -> Vectors | None:
    """A row for each passage, zeros where it has none of the length that the newest has; None without any."""
    size = next((len(each) for each in reversed(kept) if each), 0)
    if not size:
        return None
    nothing = bytes(size)
    whole = b"".join(each if each is not None and len(each) == size else nothing for each in kept)
    return np.frombuffer(whole, np.float32).reshape(len(kept), -1)
