"""Files that a request brings: kept for their owner, all of them or none. Knows limits and conversations; no route."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email.message import Message
from typing import Any

from starlette.datastructures import UploadFile

from api.http.errors import ApiError
from conversations.library import files
from conversations.store import Document, NotFoundError, Store
from documents.load import too_large_message
from documents.settings import DocumentSettings

MAX_NAME = 200  # characters of a file's name, the last ones


def keep_file(
    store: Store,
    upload: UploadFile,
    limits: DocumentSettings,
    conversation_id: str | None = None,
    project_id: str | None = None,
) -> Document:
    """The row of an uploaded file whose text is kept, in a conversation, in a project, or in none.

    Raises DocumentError, NotFoundError, and ApiError 413 for a file that is too large.
    """
    name, size = (upload.filename or "document")[-MAX_NAME:], upload.size or 0
    if size > limits.max_bytes:
        raise ApiError(413, too_large_message(name, size, limits), code="file_too_large")
    data, charset = upload.file.read(), _charset(upload)
    return files.add(store, name, data, conversation_id, charset=charset, project_id=project_id)


def _charset(upload: UploadFile) -> str | None:
    """The charset in the Content-Type of a part of a form."""
    message = Message()
    message["Content-Type"] = upload.content_type or "application/octet-stream"
    return message.get_content_charset()


@contextmanager
def attach_files(
    store: Store,
    conversation_id: str | None,
    uploads: Sequence[UploadFile],
    limits: DocumentSettings,
    fields: Mapping[str, Any],
) -> Iterator[str]:
    """The id of this conversation, or of a new one with `fields`, with these files in it.

    Where the block fails, files and new conversation are gone again. Raises as `keep_file` does.
    """
    with store.ensured(conversation_id, **fields) as identity:
        documents = list[Document]()
        try:
            for upload in uploads:
                documents.append(keep_file(store, upload, limits, identity))
            yield identity
        except BaseException:
            for document in documents:
                with suppress(NotFoundError):  # others may have deleted some of them meanwhile
                    files.delete(store, document.id)
            raise
