"""From a file too large for memory to its JSON values, one at a time. Knows JSON's brackets; no form.

A list, lines of JSON, or an object around one list: of each item that cannot be read stands why, and the others come.
What ends in the middle raises ExchangeError when that is reached.
"""

import codecs
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from conversations.exchange.errors import ExchangeError
from conversations.exchange.syntax import TOKEN, Unreadable, check_text, refuse_constant, unique_keys

CHUNK = 1 << 20  # bytes that are read at once
MAX_ITEM = 100_000_000  # characters of one conversation
NEAR = 12  # characters before the end of what is read, where an escape or a word may be cut
CUT = "it ends in the middle: it was cut short, get it once more"
ALONE = {"mapping", "chat", "messages", "chat_messages"}  # names that only one item has, whatever lists are in it
WRAPPED = "data"  # an object that others put around everything
STRICT = json.JSONDecoder(object_pairs_hook=unique_keys, parse_constant=refuse_constant)


@dataclass
class Contents:
    """What stands in a file: its items, and what stands around their list, `{}` where nothing does."""

    items: Iterator[Any]
    around: dict[str, Any] = field(default_factory=dict)


class Window:
    """The text of a stream, of which as much is in memory as one value needs. Raises ExchangeError, OSError."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._read, self._ended = 0, False
        self._line = 1  # of the file, in which the text begins
        self.text, self.at = "", 0

    def more(self) -> bool:
        """Read on, and forget what was passed; False at the end. Each time twice as much, so that none is long."""
        if self._ended:
            return False
        if len(self.text) - self.at > MAX_ITEM:
            raise ExchangeError(f"one conversation of it has more than {MAX_ITEM:,} characters")
        self._line += self.text.count("\n", 0, self.at)
        data = self._stream.read(max(CHUNK, len(self.text) - self.at))
        self._ended = not data
        try:
            self.text = self.text[self.at :] + self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            where = self._read + error.start
            raise ExchangeError(f"it is not UTF-8 text ({error.reason} near byte {where}); save it as UTF-8") from None
        self.at, self._read = 0, self._read + len(data)
        return bool(data)

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            rest = len(self.text)
            while self.at < rest and self.text[self.at] in " \t\r\n":
                self.at += 1
            if self.at < rest:
                return self.text[self.at]
            if not self.more():
                return ""

    def take(self, wanted: str) -> str:
        """The next character, which has to be one of these."""
        mark = self.peek()
        if not mark:
            raise ExchangeError(CUT)
        if mark not in wanted:
            raise ExchangeError(f"it is not JSON: Expecting {' or '.join(map(repr, wanted))} {self._place(self.at)}")
        self.at += 1
        return mark

    def value(self) -> Any:
        """The next value. Where it is passed and cannot be taken in, `Unreadable` says why."""
        if not self.peek():
            raise ExchangeError(CUT)
        while True:
            try:
                value, end = STRICT.raw_decode(self.text, self.at)
            except RecursionError:
                return self._pass_by("it is nested too deep to be a chat")
            except json.JSONDecodeError as error:
                if self._is_cut(error) and self.more():
                    continue
                return self._pass_by(f"it is not JSON: {error.msg} {self._place(error.pos)}")
            except ValueError as error:  # also ExchangeError, of two equal names and of NaN
                known = isinstance(error, ExchangeError)
                return self._pass_by(str(error) if known else f"it is not JSON that can be read: {error}")
            if end == len(self.text) and self.more():  # a number may go on
                continue
            self.at = end
            return value

    def _is_cut(self, error: json.JSONDecodeError) -> bool:
        return error.msg.startswith("Unterminated string") or error.pos >= len(self.text) - NEAR

    def _pass_by(self, why: str) -> Unreadable:
        """Go behind a value by its brackets alone. Raises ExchangeError where they do not end."""
        while (end := _find_end(self.text, self.at)) is None:
            if not self.more():
                raise ExchangeError(CUT)
        self.at = end
        return Unreadable(why)

    def _place(self, at: int) -> str:
        line = self._line + self.text.count("\n", 0, at)
        return f"in line {line}"


def _find_end(text: str, at: int) -> int | None:
    """Where a value's brackets close, or what holds it goes on; None where neither is in the text."""
    depth = 0
    for token in TOKEN.finditer(text, at):
        mark = token[0]
        if depth == 0 and mark in ",]}":
            return token.start()
        depth += (mark in "[{") - (mark in "]}")
        if depth == 0 and mark in "]}":
            return token.end()
    return None


def read_contents(stream: BinaryIO, name: str, lists: Sequence[str]) -> Contents:
    """What stands in a stream that can be read again; `lists` are the names of lists that objects are put around.

    Raises ExchangeError, also while items are read.
    """
    window = Window(stream)
    first = window.peek()
    check_text(window.text[:CHUNK], name)
    if first == "[":
        return Contents(_finish(window, _items(window)))
    if first == "{" and _is_lines(window):
        stream.seek(0)
        return Contents(_lines(stream))
    stream.seek(0)
    window = Window(stream)
    if window.peek() != "{":
        raise ExchangeError("it is not JSON: Expecting value in line 1")
    return _wrapped(stream, window, lists)


def unwrap(value: Any, lists: Sequence[str]) -> Contents:
    """The items of a value that is in memory: a list, a list in an object, or one alone."""
    if isinstance(value, list):
        return Contents(iter(value))
    if isinstance(value, dict) and not ALONE & value.keys():
        name = next((name for name in lists if isinstance(value.get(name), list)), None)
        if name is not None:
            return Contents(iter(value[name]), {**value, name: []})
        inner = value.get(WRAPPED)
        if isinstance(inner, dict) and (held := unwrap(inner, lists)).around:
            return Contents(held.items, {**value, WRAPPED: held.around})
    return Contents(iter([value]))


def _is_lines(window: Window) -> bool:
    """Whether an object stands in the first line alone, and others in the next."""
    end = window.text.find("\n", window.at)
    while end < 0 and len(window.text) < 16 * CHUNK and window.more():
        end = window.text.find("\n", window.at)
    with suppress(ValueError, RecursionError):
        if end >= 0 and isinstance(json.loads(window.text[window.at : end]), dict):
            window.at = end
            return window.peek() != ""
    return False


def _lines(stream: BinaryIO) -> Iterator[Any]:
    """The value of each line that is not blank."""
    number = 0
    while line := stream.readline(MAX_ITEM):
        number += 1
        try:
            text = line.decode().strip("\ufeff \t\r\n")
        except UnicodeDecodeError as error:
            why = f"it is not UTF-8 text ({error.reason} in line {number}); save it as UTF-8"
            raise ExchangeError(why) from None
        if text:
            yield read_value(text)


def read_value(text: str) -> Any:
    """The value of a text, or why it cannot be read."""
    try:
        return json.loads(text, object_pairs_hook=unique_keys, parse_constant=refuse_constant)
    except RecursionError:
        return Unreadable("it is nested too deep to be a chat")
    except ValueError as error:
        return Unreadable(str(error) if isinstance(error, ExchangeError) else f"it is not JSON: {error}")


def _items(window: Window) -> Iterator[Any]:
    """The items of the list that begins here."""
    window.take("[")
    if window.peek() == "]":
        window.take("]")
        return
    while True:
        yield window.value()
        if window.take(",]") == "]":
            return


def _finish(window: Window, items: Iterator[Any]) -> Iterator[Any]:
    """The items, behind which nothing stands."""
    yield from items
    if window.peek():
        raise ExchangeError("it is not JSON: Extra data behind its end")


def _members(window: Window) -> Iterator[str]:
    """The names of the object that begins here; whoever takes one reads its value."""
    window.take("{")
    if window.peek() == "}":
        window.take("}")
        return
    while True:
        name = window.value() if window.peek() == '"' else None
        if not isinstance(name, str):
            raise ExchangeError("it is not JSON: a name is wanted in an object")
        window.take(":")
        yield name
        if window.take(",}") == "}":
            return


def _wrapped(stream: BinaryIO, window: Window, lists: Sequence[str]) -> Contents:
    """An object around a list, which is read twice: for what stands around it, then for its items."""
    around, path = _around(window, lists)
    if window.peek():
        raise ExchangeError("it is not JSON: Extra data behind its end")
    if not path:
        return Contents(iter([around]))
    stream.seek(0)
    return Contents(_items_at(Window(stream), path), around)


def _around(window: Window, lists: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The members of an object but for its first list, and the names that lead to it."""
    members, path = dict[str, Any](), list[str]()
    for name in _members(window):
        if name in members:
            raise ExchangeError(f"it has {name!a} twice in one object")
        if not path and name in lists and window.peek() == "[":
            members[name], path = [], [name]
            for _ in _items(window):
                pass
        elif not path and name == WRAPPED and window.peek() == "{":
            members[name], inner = _around(window, lists)
            path = [name, *inner] if inner else []
        else:
            members[name] = _readable(window.value())
    return members, path


def _readable(value: Any) -> Any:
    if isinstance(value, Unreadable):
        raise ExchangeError(value.why)
    return value


def _items_at(window: Window, path: Sequence[str]) -> Iterator[Any]:
    """The items of the list to which these names lead."""
    for name in _members(window):
        if name != path[0]:
            window.value()
        elif len(path) > 1:
            yield from _items_at(window, path[1:])
            return
        else:
            yield from _items(window)
            return
