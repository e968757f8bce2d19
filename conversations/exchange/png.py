"""The character's card in a PNG: JSON in base64 in a chunk of text, "ccv3" of the third version, else "chara".

Knows chunks; no card.
"""

import base64
import binascii
import zlib
from collections.abc import Iterator
from typing import Any

from conversations.exchange.errors import ExchangeError
from conversations.exchange.syntax import parse_json

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEYWORDS = ("ccv3", "chara")  # the better one first
MAX_CARD = 20_000_000  # bytes of a chunk, unpacked


def read_card(data: bytes) -> Any:
    """The JSON value of a picture's card. Raises ExchangeError where it has none."""
    texts = {keyword.lower(): text for keyword, text in reversed(list(_texts(data)))}
    text = next((texts[keyword] for keyword in KEYWORDS if keyword in texts), None)
    if text is None:
        raise ExchangeError("it is a picture, and no character's card is in it")
    try:
        return parse_json(base64.b64decode(b"".join(text.split()), validate=True), "card.json")
    except binascii.Error as error:
        raise ExchangeError(f"it is a picture whose character's card cannot be read: {error}") from None


def _texts(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Keyword and text of each chunk that is one."""
    for kind, chunk in _chunks(data):
        keyword, _, rest = chunk.partition(b"\0")
        name = keyword.decode("latin-1")
        if kind == b"tEXt":
            yield name, rest
        elif kind == b"zTXt":
            yield name, _unpack(rest[1:])
        elif kind == b"iTXt" and len(rest) > 1:
            text = rest[2:].split(b"\0", 2)[-1]
            yield name, _unpack(text) if rest[0] else text


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each chunk up to the last. Raises ExchangeError for a picture that is cut short."""
    at = len(SIGNATURE)
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            raise ExchangeError("it is a picture that ends in the middle: it was cut short, get it once more")
        yield kind, data[at + 8 : end]
        if kind == b"IEND":
            return
        at = end + 4


def _unpack(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, MAX_CARD)
    except zlib.error as error:
        raise ExchangeError(f"it is a picture whose character's card cannot be read: {error}") from None
    if unpacker.unconsumed_tail:
        raise ExchangeError(f"it is a picture whose text has more than {MAX_CARD:,} bytes")
    return text
