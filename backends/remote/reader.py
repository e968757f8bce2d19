"""A reply out of the bytes of an answer: what each row adds, how it ended, what it cost, or what went wrong.

A stream of chunks, a whole answer as JSON, and a whole one as a single event are read alike. Knows rows by the modules
beside it; nothing of HTTP, or of the form in which a reply is handed on.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from backends.remote.chunk import FAILURES, Chunk, WrongShapeError, describe_shape, find_choice, read_choice
from backends.remote.error_body import ErrorBody, find_error, find_words, one_line
from backends.remote.events import Event, EventDecoder
from backends.remote.inline import InlineReader, closed_form, opened_form
from backends.remote.surrogates import SurrogateJoiner
from backends.remote.usage import TokenUsage
from backends.thinking.formats import ThinkingFormat

QUOTED = 120  # characters of what is no JSON, in the words for it
LONGEST_NOTE = 5000  # characters that are kept of what came beside the reply


class ErrorRow(Exception):
    """A failure that a server tells in the place of a part of the reply."""

    def __init__(self, error: ErrorBody) -> None:
        super().__init__(error.message)
        self.error = error


class IncompleteReplyError(Exception):
    """An answer that ended before the reply did; `begun`: some of it came. The text says what came in its place."""

    def __init__(self, message: str, begun: bool) -> None:
        super().__init__(message)
        self.begun = begun


class ReplyReader:
    """One answer, fed with its bytes; what it says beside the text stands in its attributes, the last value of each."""

    def __init__(self, charset: str | None = None, inline: InlineReader | None = None) -> None:
        """`charset`: as EventDecoder has it. `inline` tells thinking apart that is left in the text."""
        self.usage = TokenUsage()
        self.finish_reason: str | None = None
        self.stop_sequence: str | None = None
        self.names: dict[str, str] = {}  # id, model and the like, as far as they are told
        self.is_done = False  # the server said that nothing follows
        self.begun = False
        self._decoder = EventDecoder(charset)
        self.prompt_form: ThinkingFormat | None = None  # of the thinking that the prompt ends within
        self.has_prompt = False  # the server showed its prompt
        self._inline = inline
        self._text, self._reasoning = SurrogateJoiner(), SurrogateJoiner()
        self._said: list[str] = []  # the text so far
        self._index: Any = None  # of the one choice that is read
        self._is_document = self._has_rows = False  # a value that is the whole answer; several that are its rows
        self._has_objects = False  # rows that add nothing
        self._noted = ""  # what came beside the reply

    @property
    def is_finished(self) -> bool:
        """Whether the reply has come to its end, so that a connection that breaks now takes nothing from it."""
        return self.is_done or self.finish_reason is not None

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """What these bytes add. Raises ErrorRow, WrongShapeError."""
        for event in self._decoder.feed(data):
            yield from self._read_event(event)

    def finish(self) -> Iterator[Chunk]:
        """What is left at the end of the answer. Raises as `feed` does, and IncompleteReplyError."""
        for event in self._decoder.finish():
            if is_broken(event):
                self.begun = True  # the connection was closed in the middle of a row
            else:
                yield from self._read_event(event)
        if self._is_document and not self._has_rows:  # all of it, though it names no end
            self.finish_reason = self.finish_reason or "stop"
        if not self.is_finished or (self._noted and not self.begun):
            raise IncompleteReplyError(self._words_in_place(), self.begun)
        rest = Chunk(self._text.finish(), self._reasoning.finish())
        if rest.text or rest.reasoning:
            yield from self._split(rest)
        if self._inline is not None:
            yield from self._inline.close(is_cut=self.finish_reason == "length")

    def began_within(self) -> ThinkingFormat | None:
        """The form of the thinking that the text began within, unseen; None where it did not."""
        return closed_form("".join(self._said).lstrip())

    def _read_event(self, event: Event) -> Iterator[Chunk]:
        if self.is_done:
            return  # whatever follows the end
        if event.is_done:
            self.is_done = True
        elif event.is_bare and not event.is_json:
            self._note(event.value)
        elif event.value is not None:
            try:
                yield from self._read_row(event)
            except WrongShapeError:
                if not self.is_finished:  # else it takes nothing from the reply
                    raise

    def _read_row(self, event: Event) -> Iterator[Chunk]:
        if not event.is_json:
            raise self._text_error(event)
        row = event.value
        if isinstance(row, list) and len(row) == 1:
            row = self._only_failure(row)
        if not isinstance(row, dict):
            if event.name.lower() == "error":
                raise ErrorRow(ErrorBody(find_words(row) or "the server names no cause", None, {}))
            raise WrongShapeError(f"a row is {describe_shape(row)}, not an object")
        if error := find_error(row, event.name):
            raise ErrorRow(error)
        self.usage.observe(row)
        try:
            choice = find_choice(row, self._index)
            chunk = None if choice is None else read_choice(choice)
        except RecursionError:
            raise WrongShapeError("a row is nested without end") from None
        if choice is None or chunk is None:
            self._note_row(row)
            return
        self._is_document, self._has_rows = event.is_bare and not self.begun, self.begun
        self._observe(row, choice, chunk)
        yield from self._split(self._clean(chunk))

    def _split(self, chunk: Chunk) -> Iterator[Chunk]:
        """The chunk, with what is thought in its text before it."""
        if self._inline is None or self._inline.is_plain:
            yield chunk
            return
        if chunk.reasoning:
            self._inline.trust()
        *before, last = list(self._inline.push(chunk.text, chunk.is_message)) or [Chunk()]
        yield from before
        yield chunk._replace(text=last.text, reasoning=chunk.reasoning + last.reasoning)

    @staticmethod
    def _only_failure(row: list[Any]) -> Any:
        """The one object of a list, where it tells a failure as Google's servers do; else the list."""
        return row[0] if isinstance(row[0], dict) and find_error(row[0]) else row

    def _observe(self, row: Mapping[str, Any], choice: Mapping[str, Any], chunk: Chunk) -> None:
        """Keep what a row says beside the text. Raises ErrorRow for an end that is a failure."""
        self.begun = True
        if self._index is None:
            self._index = choice.get("index")
        for name in ("id", "model", "system_fingerprint", "service_tier"):
            if isinstance(row.get(name), str) and row[name]:
                self.names[name] = row[name]
        if chunk.finish_reason in FAILURES:
            message = find_words(row) or f'the server ended the reply with "{chunk.finish_reason}"'
            raise ErrorRow(ErrorBody(message, None, {}))
        if isinstance(row.get("prompt_text"), str) and self._inline is not None:
            self.has_prompt, self.prompt_form = True, opened_form(row["prompt_text"])
            self._inline.expect(self.prompt_form)
        if row.get("object") == "chat.completion":  # all of it, and so its end
            self.finish_reason = self.finish_reason or "stop"
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.stop_sequence = self.stop_sequence if chunk.stop_sequence is None else chunk.stop_sequence

    def _clean(self, chunk: Chunk) -> Chunk:
        """The chunk with whole characters, and without a text that is only said once more at the end."""
        is_repeated = chunk.is_message and chunk.finish_reason and chunk.text == "".join(self._said)
        text = "" if is_repeated else self._text.join(chunk.text)
        self._said.append(text)
        return chunk._replace(text=text, reasoning=self._reasoning.join(chunk.reasoning))

    def _words_in_place(self) -> str:
        """What came in the place of the reply, or of its end; empty where nothing did."""
        if words := find_words(self._noted):
            return one_line(words)
        return "an object without choices" if self._has_objects and not self.begun else ""

    def _note_row(self, row: Mapping[str, Any]) -> None:
        self._has_objects = True
        if "choices" not in row and "usage" not in row:
            self._note(find_words(row) or "")

    def _note(self, words: str) -> None:
        if len(self._noted) < LONGEST_NOTE:
            self._noted += words[:LONGEST_NOTE] + "\n"

    def _text_error(self, event: Event) -> Exception:
        """What a row that is no JSON is: a failure in words, or JSON that broke."""
        words = find_words(event.value)
        if event.name.lower() == "error":
            return ErrorRow(ErrorBody(words or "the server names no cause", None, {}))
        quoted = "" if is_broken(event) or not words else f': "{one_line(words, QUOTED)}"'
        return WrongShapeError(f"a row is no JSON{quoted}")


def is_broken(event: Event) -> bool:
    """Whether a row that is no JSON began as such."""
    return not (event.is_json or event.is_done) and event.value.lstrip().startswith(("{", "["))
