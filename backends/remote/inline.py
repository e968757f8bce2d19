"""Thinking that a server left in the text of a reply, between the model's own marks: found, and told apart.

A reply that begins with an opening mark has thought up to the closing one. One that begins within, since the template
opened the thinking, looks like an answer until its closing mark: it is read as thinking only where the server's own
prompt shows it, or an earlier reply of that model did. Knows marks and texts; no rows and no connections.
"""

from collections.abc import Iterator

from backends.remote.chunk import Chunk
from backends.thinking.formats import FORMATS, ThinkingFormat, first_of
from backends.thinking.reader import ThinkingReader, Thought

# By their opening; of two that open alike the last, which is the plain one. What begins with a word is no mark here.
BY_OPENING = {opening: form for form in FORMATS for opening in form.openings if not opening[0].isalpha()}
OPENINGS = tuple(BY_OPENING)
# Those whose closing mark is all that stands between thinking and answer.
TAGGED = tuple({form.ending: form for form in BY_OPENING.values() if form.closing.strip() == form.ending}.values())
FENCE = "```"


class InlineReader:
    """One reply's text, growing."""

    def __init__(self) -> None:
        self.is_plain = False  # all that comes is answer
        self.is_trusted = False  # since the server tells thinking apart itself
        self._held = ""  # what may yet be an opening mark
        self._reader: ThinkingReader | None = None
        self._form: ThinkingFormat | None = None  # where the reply is taken to begin within
        self._thought = ""

    @property
    def is_lost(self) -> bool:
        """Whether the reply was taken to begin within its thinking, and never came out."""
        return self._form is not None and self._reader is not None and self._reader.is_thinking

    def expect(self, form: ThinkingFormat | None) -> None:
        """Take the reply for one that begins within thinking of this form; None: for any other."""
        if self._reader is None and not self.is_plain:
            self._form = form

    def trust(self) -> None:
        """Read what follows as it is: the server tells thinking apart itself."""
        if self._reader is None:
            self._form, self.is_plain, self.is_trusted = None, True, True

    def push(self, text: str, is_whole: bool = False) -> Iterator[Chunk]:
        """The chunks of a text; `is_whole`: it is all of the reply."""
        self._held += text
        if self._reader is None and not self.is_plain:
            self._begin(is_whole)
        if self._reader is not None or self.is_plain:
            yield from self._read()

    def close(self, is_cut: bool) -> Iterator[Chunk]:
        """What is left at the end; `is_cut`: the reply ended where its length did.

        What was taken for thinking and never came out was an answer: it is told as one.
        """
        yield from self._read()
        if self._reader is None:
            return
        is_lost = self.is_lost and not is_cut
        yield from _chunks(self._note(self._reader.close()))
        if is_lost and self._thought:
            yield Chunk(self._thought)

    def _begin(self, is_whole: bool) -> None:
        """Decide what the reply begins with, as soon as that can be seen."""
        text = self._held.lstrip()
        if opening := first_of(OPENINGS, text):
            self._form, self._reader = None, ThinkingReader(BY_OPENING[opening])
        elif text and (is_whole or not any(opening.startswith(text) for opening in OPENINGS)):
            form = closed_form(text) if is_whole else self._form
            self._reader = None if form is None else ThinkingReader(form, is_open=True)
            self._form, self.is_plain = form, form is None

    def _read(self) -> Iterator[Chunk]:
        held, self._held = self._held, ""
        if self._reader is not None:
            yield from _chunks(self._note(self._reader.push(held)))
        elif held:
            yield Chunk(held)

    def _note(self, pieces: list[str | Thought]) -> list[str | Thought]:
        self._thought += "".join(piece.text for piece in pieces if isinstance(piece, Thought))
        return pieces


def _chunks(pieces: list[str | Thought]) -> Iterator[Chunk]:
    for piece in pieces:
        yield Chunk(reasoning=piece.text) if isinstance(piece, Thought) else Chunk(piece)


def closed_form(text: str) -> ThinkingFormat | None:
    """How a reply marks thinking whose end it holds and whose beginning it does not; None where it is all answer.

    The mark stands alone on its line, and in no piece of code: elsewhere it is something that the reply speaks of.
    """
    return next((form for form in TAGGED if form.ending in text and _is_closed(text, form)), None)


def _is_closed(text: str, form: ThinkingFormat) -> bool:
    before, _, after = text.partition(form.ending)
    line = before.rpartition("\n")[2] + after.partition("\n")[0]
    is_spoken_of = line.strip() or before.count(FENCE) % 2 or any(opening in before for opening in form.openings)
    return not is_spoken_of


def opened_form(prompt: str) -> ThinkingFormat | None:
    """How the thinking is marked that a prompt ends within; None where it does not."""
    return next((form for form in reversed(FORMATS) if form.is_open(prompt)), None)
