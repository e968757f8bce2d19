"""Conversations out of the store into files, and in again; also what ChatGPT and Open WebUI export.

`parse` gives conversations in our JSON form (`schema`), `import_all` writes them, `export_all` takes them out,
`json_chunks` and `render_markdown` make the text of a file. Knows the formats and the store; nothing of pages.
"""

from pathlib import Path
from typing import Any

from conversations.exchange import chatgpt, file, openwebui, schema
from conversations.exchange.errors import ExchangeError
from conversations.exchange.exporter import export_all, export_conversation
from conversations.exchange.importer import ImportReport, import_all, import_conversation
from conversations.exchange.markdown import render_markdown
from conversations.exchange.schema import json_chunks

__all__ = [
    "ExchangeError",
    "ImportReport",
    "export_all",
    "export_conversation",
    "import_all",
    "import_conversation",
    "json_chunks",
    "parse",
    "parse_file",
    "render_markdown",
]


def parse(data: bytes, name: str) -> list[dict[str, Any]]:
    """The conversations of a file in our form, whoever wrote it. Raises ExchangeError naming the file and the cause.

    A conversation of ChatGPT's or Open WebUI's without any message is left out.
    """
    try:
        return [conversation for value in file.parse_file(data, name) for conversation in _conversations(value)]
    except ExchangeError as error:
        raise ExchangeError(f"{_printable(name)}: {error}") from None


def parse_file(path: Path) -> list[dict[str, Any]]:
    """The conversations of a file in our form; one that is too large is not opened. Raises ExchangeError, OSError."""
    try:
        file.check_size(path.stat().st_size)
    except ExchangeError as error:
        raise ExchangeError(f"{_printable(str(path))}: {error}") from None
    return parse(path.read_bytes(), str(path))


def _conversations(value: Any) -> list[dict[str, Any]]:
    """By what the value holds."""
    if isinstance(value, dict) and value.get("format") == schema.FORMAT:
        return schema.validate_file(value)
    items = value if isinstance(value, list) else [value]
    for mark, convert in (("mapping", chatgpt.convert), ("chat", openwebui.convert)):
        if any(isinstance(item, dict) and mark in item for item in items):
            return [conversation for conversation in schema.convert_each(items, convert) if conversation["messages"]]
    if not items:
        raise ExchangeError("it holds no conversation")
    raise ExchangeError("it is not a chat export of ours, of ChatGPT or of Open WebUI")


def _printable(name: str) -> str:
    """A file's name as it may stand in a line."""
    return name if name.isprintable() else ascii(name)
