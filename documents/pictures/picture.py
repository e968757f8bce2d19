"""A picture as it is kept and shown to a model: JPEG or PNG, upright, without metadata. Knows bytes; no file."""

from base64 import b64encode
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from documents.errors import DocumentError


class PictureError(DocumentError):
    """A picture that cannot be taken; the text names it, says why, and what to do."""


@dataclass(frozen=True)
class Picture:
    """`name` is that of the file it came in; `digest` tells it from others, whatever they are called."""

    name: str
    mime_type: str
    width: int
    height: int
    data: bytes = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its bytes."""
        return sha256(self.data).hexdigest()

    @cached_property
    def base64(self) -> str:
        """Its bytes as text."""
        return b64encode(self.data).decode()

    @property
    def data_url(self) -> str:
        """Its bytes as an address that holds them."""
        return f"data:{self.mime_type};base64,{self.base64}"
