"""The elements of the arrays in one big JSON object, `{"train": [...], "valid": [...]}`, one at a time.

Memory holds one element and a chunk of text, however big the file. Knows nothing of what the elements are.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

CHUNK = 1 << 20
LONGEST = 1 << 24  # characters of one element: a file that is not of this form ends here, not in full memory


class Element(NamedTuple):
    """`array` is its key; `where` names file, array, index and line, for messages."""

    array: str
    where: str
    value: Any


def elements(path: Path) -> Iterator[Element]:
    """Every element of every array. Raises ValueError naming file and line, OSError."""
    with path.open(encoding="utf-8") as file:
        text = _Text(path, file)
        text.take("{")
        while text.take('"}', keep='"') == '"':
            key = text.value()
            text.take(":")
            yield from _array(text, key)
            if text.take(",}") == "}":
                break


def _array(text: "_Text", key: str) -> Iterator[Element]:
    text.take("[")
    index = 0
    while text.take("{]", keep="{") == "{":
        where = f"{text.path}, {key}[{index}], line {text.line}"
        yield Element(key, where, text.value())
        index += 1
        if text.take(",]") == "]":
            break


class _Text:
    """A window over the file: what lies before `at` is done with, `line` is the line at `at`."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self.path, self.file = path, file
        self.window, self.at, self.line = "", 0, 1

    def take(self, expected: str, keep: str = "") -> str:
        """The next character but white space, which must be one of `wanted`; one in `keep` is not passed over."""
        while not (rest := self.window[self.at :].lstrip()):
            if not self._more():
                raise ValueError(f"{self.path}, line {self.line}: the file ends where {' or '.join(expected)} is due")
        self._pass(len(self.window) - len(rest))
        if rest[0] not in expected:
            raise ValueError(f"{self.path}, line {self.line}: {rest[0]!r} stands where {' or '.join(expected)} is due")
        if rest[0] not in keep:
            self._pass(self.at + 1)
        return rest[0]

    def value(self) -> Any:
        """The JSON value that starts here."""
        while True:
            try:
                parsed, end = json.JSONDecoder().raw_decode(self.window, self.at)
            except json.JSONDecodeError as error:
                if len(self.window) - self.at > LONGEST or not self._more():
                    line = self.line + self.window.count("\n", self.at, self.at + error.pos)
                    raise ValueError(f"{self.path}, line {line}: bad JSON ({error.msg})") from error
            else:
                self._pass(end)
                return parsed

    def _pass(self, to: int) -> None:
        self.line += self.window.count("\n", self.at, to)
        self.at = to

    def _more(self) -> bool:
        try:
            chunk = self.file.read(CHUNK)
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path}, after line {self.line}: not UTF-8 ({error.reason})") from error
        self.window, self.at = self.window[self.at :] + chunk, 0
        return bool(chunk)
