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
RANGES = {"min_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}


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
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or not least <= value <= most:
                raise ModelInvalidRequestError(f"{name}={value}: it must be a number from {least} to {most}.")


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

    def cancel(self) -> None:
        """Ask the engine to stop; it computes at most the token it is at."""
        self.cancelled.set()


class Engine(ABC):
    """A loaded model and its thread. `computed` counts every token it ever drew."""

    name: str
    window: int
    template: str
    template_origin: str
    specials: tuple[str, ...]
    defaults: Mapping[str, float | int] = {}  # fields of Sampling that were saved with the model
    variables: Mapping[str, Any] = {}  # what a chat template may name: bos_token, eos_token
    start: tuple[int, ...] = ()  # ids that every prompt begins with (BOS), where the tokenizer asks for it

    def __init__(self) -> None:
        self.computed = 0
        self._line: deque[Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
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
    def _run(self, request: Request, accept: Callable[[int], bool]) -> None:
        """Draw tokens and pass each to `accept`, until that returns False or the window is full."""

    def submit(self, request: Request) -> None:
        """Put a request at the end of the line and tell it how many are before it."""
        with self._changed:
            if self._closed:
                raise ModelAPIError(f"The {self.name} model was closed; start it again.")
            self._line.append(request)
            position = len(self._line) - 1
            self._changed.notify()
        if position:
            self._tell(request, Event(position=position))

    def leave(self, request: Request) -> None:
        """Cancel a request; one that still waits leaves the line, and those behind hear of it."""
        request.cancel()
        with self._changed:
            if request not in list(self._line)[1:]:
                return
            self._line.remove(request)
            behind = list(enumerate(self._line))[1:]
        for position, other in behind:
            self._tell(other, Event(position=position))

    def waiting(self) -> int:
        """Requests in the line, the running one included."""
        return len(self._line)

    def close(self) -> None:
        """Cancel what is in the line and end the thread."""
        with self._changed:
            self._closed = True
            for request in self._line:
                request.cancel()
            self._changed.notify()
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._line and not self._closed:
                    self._changed.wait()
                if not self._line:
                    return
                request = self._line[0]
            self._serve(request)
            with self._changed:
                self._line.popleft()
                behind = list(self._line)
            for position, other in enumerate(behind):
                self._tell(other, Event(position=position))

    def _serve(self, request: Request) -> None:
        try:
            if not request.cancelled.is_set():
                self._run(request, lambda token: self._accept(request, token))
            rest = request.text.close()
            finish = "stop" if request.text.stopped else request.finish or "length"
            self._tell(request, Event(text=rest, tokens=request.tokens, finish=finish))
        except ModelError as error:
            self._tell(request, Event(error=error))
        except Exception as error:
            log.exception("the %s engine failed on a request", self.name)
            self._tell(request, Event(error=ModelAPIError(f"The {self.name} engine failed: {error!r}")))

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
