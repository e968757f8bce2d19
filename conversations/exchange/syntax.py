"""From a text to JSON values: one value, a value a line, or of a list each item that can be read. Knows no form.

Every error is one line that says what is wrong with the text.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from conversations.exchange.errors import ExchangeError, preview

READING = "for reading only: export with --format json what is to be imported"
WEB_PAGE = (
    "it is a web page, for reading only: import the export's conversations.json, or the zip; "
    "of Gemini ask Takeout for JSON"
)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)


@dataclass(frozen=True)
class Unreadable:
    """An item of a list, or a line, that is no JSON; the text says why."""

    why: str


def parse_json(data: bytes, name: str) -> Any:
    """The JSON value of some bytes; JSON lines are a list. Raises ExchangeError.

    An item of a list that cannot be read is `Unreadable`, where another item can.
    """
    text = _decode(data)
    check_text(text, name)
    try:
        return _parse(text)
    except ExchangeError:
        items = _read_lines(text) or _read_items(text)
        if any(not isinstance(item, Unreadable) for item in items):
            return items
        raise


def check_text(text: str, name: str) -> None:
    """Check that a text, of which this is the beginning, may be JSON. Raises ExchangeError."""
    begun = text.lstrip()
    if not begun:
        raise ExchangeError("it is empty")
    if begun.startswith(("# ", "<!--")) or name.lower().endswith((".md", ".markdown")):
        raise ExchangeError(f"it is Markdown, {READING}")
    if begun.startswith("<"):
        raise ExchangeError(WEB_PAGE)


def _parse(text: str) -> Any:
    """The value of a text. Raises ExchangeError."""
    try:
        return json.loads(text, object_pairs_hook=unique_keys, parse_constant=refuse_constant)
    except RecursionError:
        raise ExchangeError("it is nested too deep to be a chat") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            raise ExchangeError("it ends in the middle: it was cut short, get it once more") from None
        raise ExchangeError(f"it is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ExchangeError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise ExchangeError(f"it is not JSON that can be read: {error}") from None


def _read_lines(text: str) -> list[Any]:
    """The values of JSON lines, blank ones left out; none where the first line is no object of its own."""
    lines = [line.strip("\ufeff \t\r") for line in text.split("\n")]
    lines = [line for line in lines if line]
    if len(lines) < 2 or not isinstance(_read(lines[0]), dict):
        return []
    return [_read(line) for line in lines]


def _read_items(text: str) -> list[Any]:
    """The items of a list, each read by itself; none of what is no list, or is cut short."""
    spans = _find_items(text) if text.lstrip().startswith("[") else []
    return [_read(text[start:end]) for start, end in spans if text[start:end].strip()]


def _find_items(text: str) -> list[tuple[int, int]]:
    """Where the items of a list begin and end; none where its brackets make no sense."""
    spans, depth, begin = [], 0, 0
    for token in TOKEN.finditer(text):
        mark = token[0]
        depth += (mark in "[{") - (mark in "]}")
        if mark == "[" and depth == 1:
            begin = token.end()
        elif depth == 0 or (mark == "," and depth == 1):
            spans.append((begin, token.start()))
            begin = token.end()
        if depth == 0:
            return [] if text[token.end() :].strip() else spans
    return []


def _read(text: str) -> Any:
    try:
        return _parse(text)
    except ExchangeError as error:
        return Unreadable(str(error))


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExchangeError(f"it is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different: of two messages with one id, one would be lost."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ExchangeError(f"it has {preview(twice)} twice in one object")
    return unique


def refuse_constant(name: str) -> Any:
    raise ExchangeError(f"it is not JSON: {name} is no number")
