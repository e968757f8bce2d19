"""The line before one model: requests wait in order, one thread computes, each token goes to whoever asked.

It knows tokens and threads; nothing of messages, templates or how a token is computed.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelError, ModelInvalidRequestError

from backends.local.text import Text

log = logging.getLogger(__name__)
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "repetition_penalty": (0, 2), "min_p": (0, 1),
          "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}  # fmt: skip
ABOVE = ("top_p", "repetition_penalty")  # the least value itself means nothing
WHOLE = {"top_k": (0, 2**31 - 1), "seed": (-(2**63), 2**63 - 1), "max_tokens": (1, 2**31 - 1)}


@dataclass(frozen=True)
class Sampling:
    """How to draw tokens; these defaults are for what nobody set and no model brought along.

    `min_p` leaves out tokens with less than this share of the likeliest one's probability. The two penalties are taken
    from the logits of tokens of this reply, for each time one was drawn and once; `repetition_penalty` is for those of
    the prompt too. `ignore_eos`: tokens that end a reply are never drawn. Raises ModelInvalidRequestError.
    """

    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 50
    repetition_penalty: float = 1.1
    seed: int | None = None
    max_tokens: int = 256
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    ignore_eos: bool = False

    def __post_init__(self) -> None:
        for name, (least, most) in {**RANGES, **WHOLE}.items():
            value = getattr(self, name)
            kind, allowed = ("whole number", int) if name in WHOLE else ("number", int | float)
            number = isinstance(value, allowed) and not isinstance(value, bool)
            fits = number and least <= value <= most and not (name in ABOVE and value == least)
            if not fits and not (name == "seed" and value is None):
                span = f"above {least} and up to {most}" if name in ABOVE else f"from {least} to {most}"
                raise ModelInvalidRequestError(f"{name}={value}: it must be a {kind} {span}.")


@dataclass(frozen=True)
class Event:
    """What a request's owner hears: its place in the line, some text, the end, or an error. `tokens`: drawn so far."""

    text: str = ""
    tokens: int = 0
    position: int | None = None
    finish: str | None = None
    error: BaseException | None = None

    @property
    def hurries(self) -> bool:
        """Whether it is more than text."""
        return self.finish is not None or self.error is not None or self.position is not None


@dataclass(eq=False)
class Request:
    """One prompt in the line. `emit` is called from the engine's thread and must not block."""

    prompt: Sequence[int]
    sampling: Sampling
    text: Text
    emit: Callable[[Event], object]
    cancelled: threading.Event = field(default_factory=threading.Event)
    tokens: int = 0
    told: int = 0  # of them in chunks so far
    finish: str | None = None
    place: int = 0  # in the line, as its owner was told

    def cancel(self) -> None:
        """Ask the engine to stop; it computes at most the token it is at."""
        self.cancelled.set()


class Engine(ABC):
    """A loaded model and its thread: requests wait in one line, and at most `parallel` of them run at a time.

    `computed` counts every token it ever drew.
    """

    name: str
    window: int
    parallel: int = 1
    template: str
    template_origin: str
    specials: tuple[str, ...]
    defaults: Mapping[str, float | int] = {}  # fields of Sampling that were saved with the model
    variables: Mapping[str, Any] = {}  # what a chat template may name: bos_token, eos_token
    start: tuple[int, ...] = ()  # ids that every prompt begins with (BOS), where the tokenizer asks for it

    def __init__(self) -> None:
        self.computed = 0
        self._line: deque[Request] = deque()  # those that wait
        self._running: list[Request] = []
        self._changed = threading.Condition()
        self._closed = self._full = False  # full: the first of the line was refused
        self._thread = threading.Thread(target=self._work, name=f"engine-{type(self).__name__}", daemon=True)
        self._thread.start()

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens in it stay text."""

    @abstractmethod
    def special(self, text: str) -> int:
        """The id of one of `specials`."""

    @abstractmethod
    def data(self, token: int) -> bytes:
        """The bytes of a token; empty for a special one."""

    @abstractmethod
    def ends(self, token: int) -> bool:
        """Whether this token ends a reply."""

    @abstractmethod
    def _join(self, request: Request) -> bool:
        """Take a request in; False where there is no room before another ends. Raises ModelError."""

    @abstractmethod
    def _advance(self) -> None:
        """Compute what comes next of all that were taken in; `_accept` each token, `_end` each request that is over."""

    def submit(self, request: Request) -> None:
        """Put a request at the end of the line and tell it how many are before it, where it has to wait."""
        with self._changed:
            if self._closed:
                raise self._gone()
            self._line.append(request)
            self._positions()  # still locked: who runs by then must not hear that it waits
            self._changed.notify()

    def leave(self, request: Request) -> None:
        """Cancel a request; one that still waits leaves the line, and those behind hear of it."""
        request.cancel()
        with self._changed:
            if request not in self._line:
                return
            self._line.remove(request)
            self._positions()

    def waiting(self) -> int:
        """Requests that wait or run."""
        return len(self._line) + len(self._running)

    def close(self) -> None:
        """Cancel all and end the thread."""
        with self._changed:
            self._closed = True
            for request in [*self._line, *self._running]:
                request.cancel()
            self._changed.notify()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while self._due():
            self._admit()
            try:
                if self._running:
                    self._advance()
            except Exception as error:  # whatever a library throws, its thread has to live
                log.exception("the %s engine failed", self.name)
                for request in list(self._running):
                    self._drop(request, ModelAPIError(f"The {self.name} engine failed: {error!r}"))

    def _drop(self, request: Request, error: ModelError) -> None:
        """Give up a running request, wherever the engine was with it."""
        self._end(request, error)

    def _due(self) -> bool:
        """Wait for something to do; False after the end."""
        with self._changed:
            while not (self._line or self._running or self._closed):
                self._changed.wait()
            return bool(self._line or self._running)

    def _admit(self) -> None:
        """Take in who comes next, in order, as long as there is room."""
        with self._changed:
            coming = list(self._line)[: self.parallel - len(self._running)]
        self._full = any(not self._taken(request) for request in coming)
        if coming:
            self._positions()

    def _taken(self, request: Request) -> bool:
        """Whether a request left the line: it runs, was cancelled, or cannot run at all."""
        joined, error = False, None
        try:
            joined = not request.cancelled.is_set() and self._join(request)
        except ModelError as raised:
            error = raised
        except Exception as raised:  # the same, while only this request is in anybody's hands
            log.exception("the %s engine could not take a request in", self.name)
            error = ModelAPIError(f"The {self.name} engine failed: {raised!r}")
        if not (joined or error or request.cancelled.is_set()):
            return False
        with self._changed:
            if request in self._line:
                self._line.remove(request)
            if joined:
                self._running.append(request)
                self._place(request, 0)
            elif self._closed:
                error = error or self._gone()
        if error is not None:
            self._tell(request, Event(error=error))
        return True

    def _positions(self) -> None:
        """Tell those that wait how many are before them."""
        with self._changed:
            free = 0 if self._full else self.parallel - len(self._running)
            for position, request in enumerate(list(self._line), 1):
                self._place(request, max(0, position - free))

    def _place(self, request: Request, position: int) -> None:
        if request.place != position:
            request.place = position
            self._tell(request, Event(position=position))

    def _end(self, request: Request, error: ModelError | None = None) -> None:
        """A request is over: its last words, or its failure."""
        with self._changed:
            self._running.remove(request)
            if self._closed and request.cancelled.is_set():
                error = error or self._gone()
        rest = request.text.close()
        finish = "stop" if request.text.stopped else request.finish or "length"
        self._tell(request, Event(error=error) if error else Event(text=rest, tokens=request.tokens, finish=finish))

    def _gone(self) -> ModelError:
        return ModelAPIError(f"The {self.name} model was closed; start it again.")

    def _accept(self, request: Request, token: int) -> bool:
        """Count and pass on one drawn token; False ends the request."""
        self.computed += 1
        if request.cancelled.is_set():
            return False
        if self.ends(token):
            request.finish = "stop"
            return False
        request.tokens += 1
        self._tell(request, Event(text=request.text.push(self.data(token)), tokens=request.tokens))
        return not request.text.stopped and request.tokens < request.sampling.max_tokens

    @staticmethod
    def _tell(request: Request, event: Event) -> None:
        try:
            request.emit(event)
        except RuntimeError:  # the asker's event loop is gone: nobody is left to hear
            request.cancel()
