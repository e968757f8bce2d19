"""The conversations of a file in our form, whoever wrote it, and what is left out. Knows which form is whose.

One conversation that cannot be taken in does not keep the others out: it is named with the cause.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from conversations.exchange import chatgpt, openwebui, schema
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.file import read_file
from conversations.exchange.syntax import Unreadable

LISTS = ("conversations", "chats", "items", "data")  # names under which others wrap their list
EMPTY = "it holds no conversation"
Convert = Callable[[dict[str, Any]], dict[str, Any]]


class ParsedFile(list[dict[str, Any]]):
    """Conversations in our form, and what is not among them."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out: list[str] = []  # a line each: which conversation, and why
        self.empty = 0  # conversations without any message
        self.notes: list[str] = []  # what else of the file is not read
        self._seen = 0

    def add(self, items: list[Any], convert: Convert) -> None:
        """Take in every item that can be; conversations are counted from 1 through the whole file."""
        for item in items:
            self._seen += 1
            try:
                conversation = _convert(item, convert)
            except ExchangeError as error:
                self.left_out.append(f"conversation {self._seen}{_name(item)}{error}")
                continue
            if conversation["messages"] or convert is schema.validate_conversation:
                self.append(conversation)
            else:
                self.empty += 1


def parse_stream(stream: BinaryIO, size: int, name: str, path: Path | None = None) -> ParsedFile:
    """The conversations of a file of `size` bytes, which lies at `path` if at all.

    Raises ExchangeError where there is none, naming the cause.
    """
    archive, values = read_file(stream, size, name, path)
    beside = chatgpt.Beside.read(archive.beside, archive.names)
    parsed = ParsedFile()
    wrong: list[str] = []
    for value in values:
        try:
            items, convert = _recognize(value, beside)
        except ExchangeError as error:
            wrong.append(str(error))
        else:
            parsed.add(items, convert)
    parsed.notes += [*archive.notes, *beside.notes]
    lines = [*parsed.left_out, *wrong]
    if lines and not parsed and not parsed.empty:
        raise ExchangeError(lines[0] + (f"; {len(lines) - 1} more like it" if len(lines) > 1 else ""))
    parsed.left_out += [f"a part of it: {why}" for why in wrong if why != EMPTY]
    return parsed


def _recognize(value: Any, beside: chatgpt.Beside) -> tuple[list[Any], Convert]:
    """The conversations of a value as they are, and what makes them ours. Raises ExchangeError for no chats at all."""
    if isinstance(value, dict) and value.get("format") == schema.FORMAT:
        return schema.conversations_of(value), schema.validate_conversation
    items = _items(value)
    if any(isinstance(item, dict) and "mapping" in item for item in items):
        return items, lambda item: chatgpt.convert(item, beside)
    if any(isinstance(item, dict) and openwebui.is_chat(item) for item in items):
        return items, openwebui.convert
    if not items:
        raise ExchangeError(EMPTY)
    if all(isinstance(item, Unreadable) for item in items):
        return items, openwebui.convert
    raise ExchangeError("it is not a chat export of ours, of ChatGPT or of Open WebUI")


def _items(value: Any) -> list[Any]:
    """The conversations of a value: a list, a list in an object, or one alone."""
    if isinstance(value, dict) and not ("mapping" in value or openwebui.is_chat(value)):
        value = next((value[name] for name in LISTS if isinstance(value.get(name), list)), value)
    return value if isinstance(value, list) else [value]


def _convert(item: Any, convert: Convert) -> dict[str, Any]:
    """One conversation in our form. Raises ExchangeError."""
    if isinstance(item, Unreadable):
        raise ExchangeError(item.why)
    if not isinstance(item, dict):
        raise ExchangeError(f"{preview(item)}, not an object")
    try:
        return convert(item)
    except RecursionError:
        raise ExchangeError("it is nested too deep to be a chat") from None


def _name(item: Any) -> str:
    """What stands between a conversation's number and what is wrong with it: its title, where it has one."""
    if isinstance(item, Unreadable):
        return ": "
    if not isinstance(item, dict):
        return " is "
    title = item.get("title")
    return f" ({preview(title)}): " if isinstance(title, str) and title else ": "
