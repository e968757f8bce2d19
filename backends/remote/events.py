"""The rows of an answer, however a server frames them: server-sent events, a JSON value on each line, or one for all.

Server-sent events are read as they are really sent: with a byte order mark, any line ends, no empty line in between or
at the end, `data:` written twice, or forgotten. Knows bytes and JSON; nothing of what a row means.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

DONE = re.compile(r'\s*"?(\[DONE\]|DONE\s*$)', re.IGNORECASE)
FIELD = re.compile(r"(event|data|id|retry)[ \t]*:[ \t]?(.*)", re.DOTALL)
NO_FIELD = ("event", "data", "id", "retry")  # alone on a line they are fields without a value
ROW_FIELDS = frozenset({"choices", "error", "object", "usage"})  # any of them makes an object a row of its own
READER = json.JSONDecoder(strict=False)  # control characters in texts are read, too
LINE_END = re.compile(rb"\r\n|\n|\r")


class Event(NamedTuple):
    """A row: its value where it is JSON, else its text; `name` is that of its event, empty where it has none.

    `is_bare`: it stands there as it is, and not as the data of a server-sent event.
    """

    name: str
    value: Any
    is_json: bool
    is_bare: bool = False

    @property
    def is_done(self) -> bool:
        """Whether it says that nothing follows."""
        return isinstance(self.value, str) and DONE.match(self.value) is not None


class EventDecoder:
    """Bytes as they come, to events as soon as they are whole."""

    def __init__(self, charset: str | None = None) -> None:
        """`charset`: what the bytes are where they are not UTF-8, as the header of the answer has it."""
        self._charset = charset
        self._line = bytearray()  # the line that has not ended
        self._skip_newline = False  # the last byte was \r, of which \n may be the second half
        self._name = ""
        self._data: list[str] = []  # lines of data that are no JSON yet
        self._bare: list[str] = []  # lines without `data:`, of a value that takes several

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete."""
        if not data:
            return
        if self._skip_newline:
            data = data.removeprefix(b"\n")
        first, *others = LINE_END.split(data)
        self._line += first
        for piece in others:
            line, self._line = bytes(self._line), bytearray(piece)
            yield from self._read_line(line)
        self._skip_newline = data.endswith(b"\r")

    def finish(self) -> Iterator[Event]:
        """What is left when nothing more comes."""
        if self._line:
            line, self._line = bytes(self._line), bytearray()
            yield from self._read_line(line)
        yield from self._flush_data()
        yield from self._flush_bare()

    def _read_line(self, raw: bytes) -> Iterator[Event]:
        line = self._decode(raw).lstrip("\ufeff")
        if field := FIELD.fullmatch(line):
            yield from self._flush_bare()
            yield from self._read_field(*field.groups())
        elif not line:
            yield from self._flush_data()
            self._name = ""
        elif not line.startswith(":") and line not in NO_FIELD:
            yield from self._read_bare(line)

    def _decode(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            pass
        try:
            return raw.decode(self._charset or "utf-8", "replace")
        except LookupError:  # a charset that nobody knows
            return raw.decode("utf-8", "replace")

    def _read_field(self, field: str, value: str) -> Iterator[Event]:
        if field == "event":
            yield from self._flush_data()
            self._name = value.strip()
        elif field == "data":
            while (again := FIELD.fullmatch(value)) and again.group(1) == "data":
                value = again.group(2)
            yield from self._read_data(value)

    def _read_data(self, value: str) -> Iterator[Event]:
        """An event at once where the data so far, or else this line alone, is JSON or the end."""
        event = parse_event(self._name, value)
        is_row = event.is_done or (isinstance(event.value, dict) and not ROW_FIELDS.isdisjoint(event.value))
        if is_row or (event.is_json and not self._data):
            yield from self._flush_data()  # what came before it was no part of it
            yield event
            return
        self._data.append(value)
        if len(self._data) > 1 and value.rstrip().endswith(("}", "]")):  # perhaps the last of several lines
            event = parse_event(self._name, "\n".join(self._data))
            if event.is_json:
                self._data.clear()
                yield event

    def _read_bare(self, line: str) -> Iterator[Event]:
        """A line that is no server-sent event: JSON by itself, the beginning of JSON on several lines, or text."""
        event = parse_event(self._name, line, is_bare=True)
        if event.is_done or (isinstance(event.value, dict | list) and not self._bare):
            yield event
        elif self._bare or (not event.is_json and line.lstrip().startswith(("{", "["))):
            self._bare.append(line)
        else:
            yield event._replace(value=line, is_json=False)

    def _flush_data(self) -> Iterator[Event]:
        text, self._data = "\n".join(self._data), []
        if text.strip():
            yield parse_event(self._name, text)

    def _flush_bare(self) -> Iterator[Event]:
        if self._bare:
            text, self._bare = "\n".join(self._bare), []
            yield parse_event(self._name, text, is_bare=True)


def parse_event(name: str, text: str, is_bare: bool = False) -> Event:
    """The event of a text."""
    try:
        return Event(name, READER.decode(text), True, is_bare)
    except (ValueError, RecursionError):  # no JSON, or JSON so deep that nobody means it
        return Event(name, text, False, is_bare)
