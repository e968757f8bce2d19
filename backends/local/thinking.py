"""Thinking of one local model: what marks it in a reply, where it ends, and what may follow then.

Knows tokens and the rows of `backends.thinking`; nothing of LangChain or of how a token is computed.
"""

import codecs
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backends.local.engine import Engine
from backends.local.grammar import Matcher
from backends.local.prompt import PromptBuilder
from backends.local.steering import Steering
from backends.thinking.formats import ThinkingFormat
from backends.thinking.reader import ThinkingReader
from prompts.template import RenderedPrompt, Segment

TAIL = 6  # segments of a prompt's end, of which the last ones may open the thinking


class Begun(NamedTuple):
    """What goes along with a reply that may think: its reader, what holds it to its form, what counts its thinking."""

    reader: ThinkingReader
    matcher: Matcher
    counter: "ThinkingMatcher"
    markers: dict[int, bytes]


class ThinkingUse:
    """Tells one model's thinking from its answers."""

    def __init__(self, engine: Engine, builder: PromptBuilder, form: ThinkingFormat) -> None:
        self._engine, self._builder, self.form = engine, builder, form
        texts = (*form.openings, form.ending, form.closing, *form.answers, *form.tails)
        self._markers = builder.silent_tokens(texts)
        split = builder.split(form.closing)
        self._closing = [i for text, token in split for i in ([token] if token is not None else engine.encode(text))]

    def begin(
        self, prompt: RenderedPrompt, steering: Steering, matcher: Matcher | None = None, thought: str = ""
    ) -> Begun:
        """What goes along with the reply to a prompt.

        `matcher` holds the answer to its form. `thought` is what the reply has thought already, and goes on with: it
        counts for the budget.
        """
        is_open = bool(thought) or self.is_open(prompt.segments)
        answer = matcher if is_open else None  # else the model is held from its first token on, and does not think
        if thought and steering.budget is not None:
            left = max(0, steering.budget - len(self._builder.encode_written(thought)))
            steering = steering._replace(budget=left)
        own, told = (ThinkingReader(self.form, is_open=is_open, has_thought=bool(thought)) for _ in range(2))
        thinking = ThinkingMatcher(self._engine, own, self._closing, self._markers, steering, answer)
        held = thinking if matcher is None or is_open else matcher
        return Begun(told, held, thinking, self._markers)

    def is_open(self, segments: Sequence[Segment]) -> bool:
        """Whether a prompt ends inside the thinking."""
        return self.form.is_open("".join(segment.text for segment in segments[-TAIL:]))

    def reopen(self, segments: Sequence[Segment], thought: str) -> Iterable[Segment]:
        """What stands behind a prompt whose reply goes on inside its thinking: what opens it, and what was thought."""
        opening = self._builder.split("" if self.is_open(segments) else self.form.opening)
        last = opening.pop()[0] if opening and opening[-1][1] is None else ""
        yield from (Segment(text, special=token is not None) for text, token in opening)
        yield Segment(last + thought, special=False)

    def past(self, segments: Sequence[Segment], thought: str) -> Iterable[Segment]:
        """What stands behind a prompt whose reply has thought this and answers, so that the answer can go on; nothing
        where it has not thought, and none is open."""
        if thought:
            yield from self.reopen(segments, thought)
        if thought or self.is_open(segments):
            for text, token in self._builder.split(self.form.closing):
                yield Segment(text, special=token is not None)


class ThinkingMatcher(Matcher):
    """One reply's place: it thinks, as far as it is let to, and then its answer is held to its form."""

    def __init__(
        self,
        engine: Engine,
        reader: ThinkingReader,
        closing: Sequence[int],
        markers: dict[int, bytes],
        steering: Steering,
        answer: Matcher | None,
    ) -> None:
        """`closing` are the tokens that the model ends its thinking with."""
        self._engine, self._reader, self._closing = engine, reader, list(closing)
        self._markers, self._steering, self._answer = markers, steering, answer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._forced: list[int] = []
        self.thought = 0  # tokens between the marks
        self._doubtful = 0  # tokens after them that may be the mark of the end
        self._is_over = False

    def continue_after(self, tokens: Sequence[int]) -> None:
        """Go on after tokens that stand there already."""
        for token in tokens:
            self.accept(token)

    def prepare(self) -> None:
        """Begin to look for the tokens that may come next, where they are few."""
        if self._is_over and self._answer is not None:
            self._answer.prepare()

    def allowed(self) -> NDArray[np.bool_] | None:
        """Which tokens may come next, [vocabulary]; None for any."""
        if self._is_over:
            return None if self._answer is None else self._answer.allowed()
        if not self._forced and self._is_spent():
            self._forced = list(self._closing)
        if not self._forced:
            return None
        only = np.zeros(self._engine.vocabulary_size, dtype=bool)
        only[self._forced[0]] = True
        return only

    def accept(self, token: int) -> None:
        """Go on after the token that was drawn."""
        if self._is_over:
            if self._answer is not None:
                self._answer.accept(token)
            return
        was_thinking = self._reader.is_thinking
        self._reader.push(self._decoder.decode(self._markers.get(token) or self._engine.token_bytes(token)))
        if self._forced:
            del self._forced[0]
            self._is_over = not self._forced
        elif was_thinking and self._reader.is_thinking:
            self._doubtful += 1
            if not self._reader.may_be_ending:
                self.thought, self._doubtful = self.thought + self._doubtful, 0
        else:
            self._is_over = self._reader.has_answer
        self.prepare()

    def _is_spent(self) -> bool:
        budget, control = self._steering.budget, self._steering.control
        is_over = control is not None and control.is_over
        return self._reader.is_thinking and (
            is_over or (budget is not None and self.thought + self._doubtful >= budget)
        )
