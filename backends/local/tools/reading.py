"""Calls in a reply as it grows: text that is none, then each call's name and its arguments, piece by piece.

What may yet become a call is held back. The grammar has seen to it that a call which has begun is well-formed.
Knows forms; nothing of tokens.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from backends.local.tools.formats import ID, ID_LENGTH, Form
from backends.local.tools.opening import Openings


class CallPiece(NamedTuple):
    """A piece of the call of this place in the reply: first its name and id, then its arguments."""

    place: int
    arguments: str = ""
    name: str | None = None
    id: str | None = None


Piece = str | CallPiece


class CallReader:
    """A reply with calls, growing; `push` and `close` return what no later text can change."""

    def __init__(self, forms: Sequence[Form], names: Sequence[str]) -> None:
        self._openings, self._names = Openings(forms, names), names
        self._held, self._is_start = "", True
        self._form: Form | None = None  # once calls have begun
        self._scanner: ArgumentScanner | None = None  # of the arguments that are being written
        self.count = 0  # calls that have begun

    def push(self, text: str) -> list[Piece]:
        """The pieces that this text completes."""
        self._held += text
        return list(self._read(is_last=False))

    def close(self) -> list[Piece]:
        """What was held back when the text ended."""
        return list(self._read(is_last=True))

    def _read(self, is_last: bool) -> Iterator[Piece]:
        if self._form is None:
            yield from self._read_text(is_last)
        while self._form is not None and self._held:
            if self._scanner is None:
                begun = self._begin_call(self._form)
                if begun is None:
                    return
                yield begun
                self._scanner = ArgumentScanner()
            arguments, self._held = self._scanner.push(self._held)
            if arguments:
                yield CallPiece(self.count - 1, arguments)
            if not self._scanner.ended:
                return
            self._scanner = None

    def _read_text(self, is_last: bool) -> Iterator[str]:
        """The text before a call, without the blanks at its end, which the call's form may have put there."""
        found = self._openings.find(self._held, self._is_start)
        if found is not None:
            at, opening = found
            text, self._held, self._form = self._held[:at].rstrip(), self._held[at:], opening.form
        elif is_last:
            text, self._held = self._held, ""
        else:
            kept = self._held[: len(self._held) - self._openings.overlap(self._held, self._is_start)].rstrip()
            text, self._held = kept, self._held[len(kept) :]
        if text:
            self._is_start = False
            yield text

    def _begin_call(self, form: Form) -> CallPiece | None:
        """The beginning of the next call, whose arguments are what is held then; None where it is not all there."""
        start = self._held.find(form.before)
        if start < 0:
            return None
        rest = self._held[start + len(form.before) :]
        name = next((name for name in self._names if rest.startswith(name + form.quote)), None)
        if name is None:
            return None
        head, has_id, tail = form.between.partition(ID)
        length = len(name) + len(head) + (ID_LENGTH if has_id else 0) + len(tail)
        if len(rest) < length:
            return None
        self._held, self.count = rest[length:], self.count + 1
        return CallPiece(self.count - 1, name=name, id=f"call_{secrets.token_hex(12)}")


class ArgumentScanner:
    """The end of one object of JSON in a growing text."""

    def __init__(self) -> None:
        self._depth, self._in_string, self._is_escaped = 0, False, False
        self.ended = False

    def push(self, text: str) -> tuple[str, str]:
        """What of a text belongs to the object, and what stands behind it."""
        for at, letter in enumerate(text):
            if self._in_string:
                if self._is_escaped:
                    self._is_escaped = False
                elif letter == "\\":
                    self._is_escaped = True
                elif letter == '"':
                    self._in_string = False
            elif letter == '"':
                self._in_string = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self.ended = True
                    return text[: at + 1], text[at + 1 :]
        return text, ""
