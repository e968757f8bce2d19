"""HTML as a file: its bytes by the encoding that they declare. Knows declarations; the text is `documents.markup`'s."""

import re
from collections.abc import Iterator
from pathlib import Path

from documents.encoding import decode
from documents.markup import html_text
from documents.part import Limits, Part

PRESCAN = 4096  # bytes in which a declaration stands
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
DECLARATION = re.compile(
    rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([\w:.-]+)|<meta\s[^>]*?charset\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE
)


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The whole text. Raises UnreadableFileError."""
    data = path.read_bytes()
    yield Part(html_text(decode(data, declared_encoding(data))))


def declared_encoding(data: bytes) -> str | None:
    """The label in the XML declaration or a meta element, None without one."""
    match = DECLARATION.search(COMMENT.sub(b"", data[:PRESCAN]))
    return match[match.lastindex or 1].decode("ascii", "replace") if match else None
