"""Conversations out of the store into files, and in again; also what ChatGPT and Open WebUI export.

`parse` gives conversations in our JSON form (`schema`), `import_files` writes them, `export_all` takes them out, each
of `FORMATS` makes a file of them; `remove` and `restore` are a deletion that may be undone.
Knows the formats and the store; nothing of pages.
"""

import io
from pathlib import Path
from typing import BinaryIO

from conversations.exchange.errors import ExchangeError
from conversations.exchange.exporter import export_all, export_conversation
from conversations.exchange.formats import FORMATS, FileFormat, ending
from conversations.exchange.html import content_policy, document, render_html
from conversations.exchange.importer import ImportReport, import_all, import_conversation, import_files
from conversations.exchange.markdown import render_markdown
from conversations.exchange.parsed import ParsedFile, known_forms, parse_stream
from conversations.exchange.project import export_project
from conversations.exchange.removal import Removed, remove, restore
from conversations.exchange.schema import json_chunks
from conversations.exchange.sharing import copy_shared, render_shared, share
from conversations.exchange.summary import describe_import, summarize_import

__all__ = [
    "FORMATS",
    "ExchangeError",
    "FileFormat",
    "ImportReport",
    "ParsedFile",
    "Removed",
    "content_policy",
    "copy_shared",
    "describe_import",
    "document",
    "ending",
    "export_all",
    "export_conversation",
    "export_project",
    "import_all",
    "import_conversation",
    "import_files",
    "json_chunks",
    "known_forms",
    "parse",
    "parse_file",
    "remove",
    "render_html",
    "render_markdown",
    "render_shared",
    "restore",
    "share",
    "summarize_import",
]


def parse(data: bytes | BinaryIO, name: str) -> ParsedFile:
    """The conversations of a file in our form, whoever wrote it, and what is left out of it.

    Raises ExchangeError naming the file and the cause where none can be taken in.
    """
    return _parse(io.BytesIO(data) if isinstance(data, bytes) else data, name)


def parse_file(path: Path) -> ParsedFile:
    """The conversations of a file in our form, with what lies beside it where ChatGPT's zip was unpacked.

    Raises ExchangeError, OSError.
    """
    with path.open("rb") as file:
        return _parse(file, str(path), path)


def _parse(stream: BinaryIO, name: str, path: Path | None = None) -> ParsedFile:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    try:
        return parse_stream(stream, size, name, path)
    except ExchangeError as error:
        raise ExchangeError(f"{_printable(name)}: {error}") from None


def _printable(name: str) -> str:
    """A file's name as it may stand in a line."""
    return name if name.isprintable() else ascii(name)
