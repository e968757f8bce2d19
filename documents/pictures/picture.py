"""A picture as it is kept and shown to a model: JPEG or PNG, upright, without metadata. Knows bytes; no file."""

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from io import BytesIO

from documents.errors import DocumentError

DATA, BASE64 = "data:", ";base64,"  # of an address that holds its picture


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

    @classmethod
    def from_data_url(cls, name: str, address: str) -> "Picture":
        """The picture of which this is the `data_url`; it says itself how large it is."""
        from PIL import Image

        head, _, base64 = address.partition(BASE64)
        data = b64decode(base64)
        with Image.open(BytesIO(data), formats=("PNG", "JPEG")) as image:
            return cls(name, head.removeprefix(DATA), *image.size, data)

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
        return f"{DATA}{self.mime_type}{BASE64}{self.base64}"
