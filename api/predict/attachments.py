"""Files that a request brings: kept for their owner, all of them or none. Knows limits and conversations; no route."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from starlette.datastructures import UploadFile

from api.http.errors import ApiError
from conversations.library import files
from conversations.replies import turn
from conversations.store.schema import Conversation, Document
from conversations.store.store import NotFoundError, Store
from documents.load import too_large_message
from documents.settings import DocumentSettings

MAX_NAME = 200  # characters of a file's name, the last ones


def keep_file(store: Store, given: UploadFile, limits: DocumentSettings, identity: str | None = None) -> Document:
    """Read a file and keep it. Raises DocumentError, NotFoundError, and ApiError 413 for one that is too large."""
    name, size = (given.filename or "document")[-MAX_NAME:], given.size or 0
    if size > limits.max_bytes:
        raise ApiError(413, too_large_message(name, size, limits), code="file_too_large")
    return files.add(store, name, given.file.read(), identity)


@contextmanager
def attach_files(
    store: Store,
    talk: Conversation | None,
    given: Sequence[UploadFile],
    limits: DocumentSettings,
    new: Mapping[str, Any],
) -> Iterator[str]:
    """The id of this conversation, or of a new one, with these files. Where the block fails they are gone again.

    Raises as `keep`.
    """
    if talk is None:
        with store.database.writing() as session:
            identity = turn.create_conversation(session, store, **new).id
    else:
        identity = talk.id
    kept = list[Document]()
    try:
        for each in given:
            kept.append(keep_file(store, each, limits, identity))
        yield identity
    except BaseException:
        _undo(store, identity if talk is None else None, kept)
        raise


def _undo(store: Store, made: str | None, kept: Sequence[Document]) -> None:
    """As if nobody had asked. Others may have deleted some of it meanwhile."""
    for document in kept:
        with suppress(NotFoundError):
            files.delete(store, document.id)
    if made is not None:
        with suppress(NotFoundError):
            store.delete(made)
