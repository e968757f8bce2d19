"""What the blocks of a message hold beside plain text: documents are read, files of /v1/files are looked up.

Knows blocks, documents and the caller's files; nothing of messages.
"""

import base64
import binascii
from mimetypes import guess_extension
from typing import Any

from api.anthropic.blocks import (
    Base64Source,
    DocumentBlock,
    FileSource,
    ImageBlock,
    Readable,
    SearchResultBlock,
    TextBlock,
    TextSource,
)
from api.http.errors import ApiError
from api.http.pictures import Pictures
from backends import vision
from conversations.library import files
from conversations.store import Store
from documents.load import load
from documents.settings import DocumentSettings


class BlockReader:
    """Reads blocks for one caller, with these pictures. Takes its time for a document: call it in a thread."""

    def __init__(self, store: Store, limits: DocumentSettings, pictures: Pictures) -> None:
        self._store, self._limits, self._pictures = store, limits, pictures

    def __call__(self, block: Readable) -> dict[str, Any]:
        """A block of LangChain's. Raises ApiError 400, DocumentError, NotFoundError, DatabaseError."""
        if isinstance(block, ImageBlock):
            found = self._pictures[block.address]
            return vision.to_block(found.mime_type, found.base64)
        return {"type": "text", "text": self._text(block)}

    def _text(self, block: TextBlock | DocumentBlock | SearchResultBlock) -> str:
        if isinstance(block, TextBlock):
            return block.text
        if isinstance(block, SearchResultBlock):
            return _paragraphs(block.title, block.source, *(each.text for each in block.content))
        return _paragraphs(block.title, block.context, self._document_text(block))

    def _document_text(self, block: DocumentBlock) -> str:
        source = block.source
        if isinstance(source, TextSource):
            return source.data
        if isinstance(source, FileSource):
            return files.content(self._store, source.file_id)
        if isinstance(source, Base64Source):
            name = f"document{guess_extension(source.media_type) or ''}"
            return "\n\n".join(part.text for part in load(name, decode(source.data), self._limits).parts)
        return source.content if isinstance(source.content, str) else "".join(each.text for each in source.content)


def needs_reading(block: object) -> bool:
    """Whether a block holds more than what stands in it, so that to read it takes a while."""
    return isinstance(block, DocumentBlock) and isinstance(block.source, Base64Source | FileSource)


def decode(data: str) -> bytes:
    """The bytes of base64. Raises ApiError 400."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        text = f"source.data: this is no base64 ({error}). Send the file's bytes in it, without line breaks."
        raise ApiError(400, text, code="invalid_value", param="messages") from None


def _paragraphs(*texts: str | None) -> str:
    """What is there of these, a paragraph each, with an empty line behind it."""
    return "\n\n".join([*filter(None, texts), ""])
