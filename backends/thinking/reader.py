"""Thinking and answer of a reply, told apart while it grows: what may yet be a mark is held back.

Thinking begins where a reply begins, and nowhere else: a mark in the middle of an answer is text. Knows one format.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from backends.thinking.formats import ThinkingFormat, first_of


class Thought(NamedTuple):
    """A piece of what the model thinks."""

    text: str


class Place(Enum):
    """Where in a reply the reader is."""

    START = auto()
    THINKING = auto()
    ANSWER = auto()
    TAIL = auto()  # behind the answer


class ThinkingReader:
    """A reply that may begin with thinking, growing; `push` and `close` return what no later text can change."""

    def __init__(self, form: ThinkingFormat, *, is_open: bool = False, has_thought: bool = False) -> None:
        """`is_open`: the prompt has begun the thinking already, and with `has_thought` holds the beginning of it."""
        self._form, self._held = form, ""
        self._place = Place.THINKING if is_open else Place.START
        self._has_thought = has_thought

    @property
    def is_thinking(self) -> bool:
        """Whether the answer has not begun, and thinking has."""
        return self._place is Place.THINKING

    @property
    def may_be_ending(self) -> bool:
        """Whether what was read last may be a part of the mark that ends the thinking."""
        return self.is_thinking and bool(self._held.strip())

    @property
    def has_answer(self) -> bool:
        """Whether the answer has begun, or comes next: the thinking has ended, and no mark is to come before it."""
        waits = self._place is Place.START and (not self._has_thought or bool(self._form.answers))
        return self._place is not Place.THINKING and not waits

    def push(self, text: str) -> list[str | Thought]:
        """The pieces that this text completes: of the answer as they are."""
        self._held += text
        return list(self._read(is_last=False))

    def close(self) -> list[str | Thought]:
        """What was held back when the reply ended; the beginning of a mark is none of it where it thought."""
        return list(self._read(is_last=True))

    def _read(self, is_last: bool) -> Iterator[str | Thought]:
        before = None
        while before is not self._place:  # each place hands on what is behind it
            before = self._place
            if before is Place.START:
                self._read_start(is_last)
            elif before is Place.THINKING:
                yield from self._read_thinking(is_last)
            elif before is Place.ANSWER:
                yield from self._read_answer(is_last)
            else:
                self._held = ""

    def _read_start(self, is_last: bool) -> None:
        """See what a reply, or what follows some thinking, begins with."""
        form, text = self._form, self._held.lstrip()
        marks = (*form.openings, *form.answers)
        waits = not text or any(mark.startswith(text) and mark != text for mark in marks)
        if waits and is_last and self._has_thought:
            self._held = ""
        if waits and (not is_last or self._has_thought):
            return
        found = first_of(marks, text)
        if found is None:
            self._place = Place.ANSWER
            self._held = text if self._has_thought else self._held
            return
        self._place = Place.THINKING if found in form.openings else Place.ANSWER
        self._held = text[len(found) :].lstrip()

    def _read_thinking(self, is_last: bool) -> Iterator[Thought]:
        end = self._held.find(self._form.ending)
        if end >= 0:
            text, self._held = self._held[:end], self._held[end + len(self._form.ending) :]
            self._place = Place.START
        else:
            text, self._held = self._split((self._form.ending,), is_last=False)
            self._held = "" if is_last else self._held
        if not self._has_thought:
            text = text.lstrip()
        if end >= 0 or is_last:
            text = text.rstrip()
        if text:
            yield Thought(text)
        self._has_thought = self._has_thought or bool(text) or end >= 0

    def _read_answer(self, is_last: bool) -> Iterator[str]:
        places = [(at, tail) for tail in self._form.tails if (at := self._held.find(tail)) >= 0]
        if places:
            text, self._place = self._held[: min(places)[0]], Place.TAIL
        else:
            text, self._held = self._split(self._form.tails, is_last)
        if text:
            yield text

    def _split(self, marks: Iterable[str], is_last: bool) -> tuple[str, str]:
        """What is held, parted where one of the marks may begin, or the blanks before it in thinking."""
        held = self._held
        if is_last:
            return held, ""
        overlap = max((_overlap(held, mark) for mark in marks), default=0)
        sure = held[: len(held) - overlap]
        if self._place is Place.THINKING:
            sure = sure.rstrip()
        return sure, held[len(sure) :]


def _overlap(text: str, mark: str) -> int:
    """Length of the longest end of a text that begins a mark."""
    return next((size for size in range(min(len(text), len(mark) - 1), 0, -1) if text.endswith(mark[:size])), 0)
