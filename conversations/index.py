"""The indexes of the documents that were searched last: built once each, in the memory of this process. Knows tables.

A document never changes, so an index is named by its documents; with one of them it is forgotten.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from langchain_core.documents import Document as Found
from sqlalchemy import select

from conversations.database import Database
from conversations.schema import Document, Passage
from documents.search import Index

KEPT = 8
_indexes: OrderedDict[tuple[str, ...], Index] = OrderedDict()
_lock = threading.Lock()


def index(database: Database, identities: Sequence[str]) -> Index:
    """The index of these documents. The caller has asked whose they are."""
    name = (str(database.url), *sorted(identities))
    with _lock:  # two who ask at once would both build it
        if name not in _indexes:
            _indexes[name] = _built(database, identities)
        _indexes.move_to_end(name)
        while len(_indexes) > KEPT:
            _indexes.popitem(last=False)
        return _indexes[name]


def forget(identity: str) -> None:
    """Drop every index with this document."""
    with _lock:
        for name in [name for name in _indexes if identity in name]:
            del _indexes[name]


def _built(database: Database, identities: Sequence[str]) -> Index:
    columns = (Passage.id, Document.id, Document.name, Passage.page, Passage.begins, Passage.ends, Passage.text)
    query = select(*columns).join(Document).where(Document.id.in_(identities)).order_by(Document.created, Passage.id)
    with database.reading() as session:
        rows = session.execute(query).all()
    return Index([
        Found(text, metadata={"file": name, "page": page, "document": document, "passage": number,
                              "start": begins, "end": ends})
        for number, document, name, page, begins, ends, text in rows
    ])  # fmt: skip
