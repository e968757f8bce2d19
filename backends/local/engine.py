"""The queue before one model: requests wait in order, one thread computes, each token goes to its request's owner.

Its thread (`_run`) does, until the engine is closed: 1. wait for work, 2. admit who comes next, as long as there is
room, 3. step: compute what comes next of all that run; each sampled token is 4. accepted: counted, decoded, handed out,
and a request that ends is 5. finished; 6. tidy: what no request waits for. Whatever a step raises ends its requests,
never the thread.
Knows tokens and threads; nothing of messages, templates or how a token is computed.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelError, ModelInvalidRequestError

from backends.local.decoder import StreamDecoder
from backends.local.grammar import Matcher
from backends.local.picture import Eye, Picture, PlacedView
from backends.local.sampling import Sampling
from backends.vision import CANNOT_SEE
from prompts.special_tokens import SpecialToken

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """What a request's owner receives: a position in the queue, some text, the end, or an error.

    `tokens`: sampled so far. `position`: how many requests are before it, 0 once it runs.
    """

    text: str = ""
    tokens: int = 0
    position: int | None = None
    finish: str | None = None
    error: BaseException | None = None

    @property
    def is_urgent(self) -> bool:
        """Whether it is more than text."""
        return self.finish is not None or self.error is not None or self.position is not None


@dataclass(eq=False)
class Request:
    """One prompt in the queue. `emit` is called from the engine's thread and must not block.

    `expected`: tokens that memory is set aside for; None where the reply is to find room for all that it may have.
    `drawn`: tokens of the reply that were given up with the memory, and are computed again. `computed`: tokens of the
    prompt that had to be computed for it. `conversation`: the id of
    the one that it belongs to; None where nothing of it may be kept on a disk. `matcher` says which tokens may come
    next, and None stands for any. `markers`: the texts of special tokens that count as text in this reply. `views`:
    what is seen in the prompt, and where; negative tokens stand for it.
    """

    prompt: Sequence[int]
    sampling: Sampling
    decoder: StreamDecoder
    emit: Callable[[Event], object]
    cancelled: threading.Event = field(default_factory=threading.Event)
    tokens: int = 0
    reported: int = 0  # of them in chunks so far
    finish: str | None = None
    position: int = 0  # in the queue, as last reported to its owner
    expected: int | None = None
    drawn: Sequence[int] = ()
    computed: int = 0
    conversation: str | None = None
    matcher: Matcher | None = None
    markers: Mapping[int, bytes] = field(default_factory=dict)
    views: Sequence[PlacedView] = ()

    @property
    def sequence(self) -> list[int]:
        """The prompt, with what was drawn after it before its memory was given up."""
        return [*self.prompt, *self.drawn]

    @property
    def reused(self) -> int:
        """Tokens of the prompt that somebody had computed before; 0 as well where its engine does not count them."""
        return max(0, len(self.prompt) - self.computed) if self.computed else 0

    @property
    def need(self) -> int:
        """Tokens of memory that it has to find to be taken in."""
        left = self.sampling.max_tokens - len(self.drawn)
        return len(self.prompt) + len(self.drawn) + (left if self.expected is None else min(left, self.expected))

    def cancel(self) -> None:
        """Ask the engine to stop; it computes at most the token it is at."""
        self.cancelled.set()


class Engine(ABC):
    """A loaded model and its thread: requests wait in one queue, and at most `parallel` of them run at a time.

    `window`: tokens of a prompt with its reply. `sampled_tokens` counts every token it ever sampled,
    and `prefilled_tokens` those of prompts that it computed: a beginning that it had already is none of them.
    """

    name: str
    window: int
    parallel: int = 1
    parameters: int | None = None  # weights of the model, where they are counted
    vocabulary_size: int
    special_tokens: tuple[SpecialToken, ...]
    saved_sampling: Mapping[str, float | int] = {}  # fields of Sampling that were saved with the model
    template_variables: Mapping[str, Any] = {}  # what a chat template may name: bos_token, eos_token and others
    bos_ids: tuple[int, ...] = ()  # ids that every prompt begins with, where the tokenizer asks for it
    eye: Eye | None = None  # by which the model sees pictures, or why it does not
    starts_anew: bool = True  # text after a special token is tokenized as at the start of a prompt

    def __init__(self) -> None:
        """Start the thread: all that its steps need has to be there before."""
        self.sampled_tokens = self.prefilled_tokens = 0
        self._queue: deque[Request] = deque()  # those that wait
        self._running: list[Request] = []
        self._changed = threading.Condition()
        self._is_closed = self._is_full = False  # full: the first of the queue was refused
        self._thread = threading.Thread(target=self._run, name=f"engine-{type(self).__name__}", daemon=True)
        self._thread.start()

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; special tokens in it stay text."""

    @property
    def blindness(self) -> str | None:
        """Why the model sees no pictures, with the remedy; None where it does."""
        return CANNOT_SEE.format(self.name) if self.eye is None else self.eye.blindness

    def look(self, data: bytes) -> Picture:
        """What stands for a picture in a prompt. Raises ModelInvalidRequestError, ModelAPIError."""
        if self.eye is None:
            raise ModelInvalidRequestError(self.blindness)
        return self.eye.look(data)

    @abstractmethod
    def special_id(self, text: str) -> int:
        """The id of one of `special_tokens`."""

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; none of a special one."""

    @abstractmethod
    def is_end(self, token: int) -> bool:
        """Whether this token ends a reply."""

    @abstractmethod
    def end_tokens(self) -> Collection[int]:
        """The tokens that end a reply."""

    @abstractmethod
    def end_replies_at(self, token: int) -> None:
        """Have this token end replies too. Called before the first request."""

    @abstractmethod
    def _admit(self, request: Request) -> bool:
        """Take a request in; False where there is no room before another ends. Raises ModelError."""

    @abstractmethod
    def _step(self) -> None:
        """Compute what comes next of all that run; `_accept` each token, `_finish` each request that is over."""

    def mean_states(self, texts: Sequence[Sequence[int]]) -> Iterable[list[float]]:
        """A vector for each text of token ids. Raises ModelInvalidRequestError where the engine gives none."""
        raise ModelInvalidRequestError(f"{self.name} gives no vectors of texts. Name a model of llamacpp.")

    def submit(self, request: Request) -> None:
        """Put a request at the end of the queue, and emit how many are before it, where it has to wait.

        Raises ModelAPIError after `close`.
        """
        with self._changed:
            if self._is_closed:
                raise self._closed_error()
            self._queue.append(request)
            self._announce_positions()  # still locked: who runs by then must not hear that it waits
            self._changed.notify()

    def cancel(self, request: Request) -> None:
        """Cancel a request; one that still waits leaves the queue, and those behind it move up."""
        request.cancel()
        with self._changed:
            if request not in self._queue:
                return
            self._queue.remove(request)
            self._announce_positions()

    @property
    def running_count(self) -> int:
        """How many requests run."""
        return len(self._running)

    def pending_count(self) -> int:
        """How many requests wait or run."""
        return len(self._queue) + len(self._running)

    def close(self) -> None:
        """Cancel all requests and end the thread, within 10 seconds."""
        with self._changed:
            self._is_closed = True
            for request in [*self._queue, *self._running]:
                request.cancel()
            self._changed.notify()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        # 1. Wait for work.
        while self._wait_for_work():
            # 2. Admit.
            self._admit_next()
            # 3. Step. (It accepts tokens, 4, and finishes requests, 5.)
            try:
                if self._running:
                    self._step()
                # 6. Tidy.
                self._tidy()
            except Exception as error:  # whatever a library throws, its thread has to live
                log.exception("the %s engine failed", self.name)
                for request in list(self._running):
                    self._abort(request, ModelAPIError(f"The {self.name} engine failed: {error!r}"))

    def _wait_for_work(self) -> bool:
        """Wait until something waits or runs, or is to be tidied; False after the end."""
        with self._changed:
            while not (self._queue or self._running or self._is_closed):
                if (pause := self._due()) == 0:
                    return True
                self._changed.wait(pause)
            return bool(self._queue or self._running)

    def _due(self) -> float | None:
        """Seconds until there is something to tidy, should nobody come before; None where there is nothing."""
        return None

    def _tidy(self) -> None:  # noqa: B027 (most have nothing to do)
        """Do a small thing that no request waits for."""

    def _admit_next(self) -> None:
        """Admit who comes next, in order, as long as there is room."""
        with self._changed:
            coming = list(self._queue)[: self.parallel - len(self._running)]
        self._is_full = any(not self._try_admit(request) for request in coming)
        if coming:
            self._announce_positions()

    def _try_admit(self, request: Request) -> bool:
        """Whether a request left the queue: it runs, was cancelled, or cannot run at all."""
        admitted, error = False, None
        try:
            admitted = not request.cancelled.is_set() and self._admit(request)
        except ModelError as raised:
            error = raised
        except Exception as raised:  # whatever a library throws: so far only this request is concerned
            log.exception("the %s engine could not take a request in", self.name)
            error = ModelAPIError(f"The {self.name} engine failed: {raised!r}")
        if not (admitted or error or request.cancelled.is_set()):
            return False
        with self._changed:
            if request in self._queue:
                self._queue.remove(request)
            if admitted:
                self._running.append(request)
                self._set_position(request, 0)
            elif self._is_closed:
                error = error or self._closed_error()
        if error is not None:
            self._emit(request, Event(error=error))
        return True

    def _suspend(self, request: Request) -> None:
        """Put a running request before those that wait: its memory was given up, and it goes on where there is some."""
        with self._changed:
            self._running.remove(request)
            self._queue.appendleft(request)
            self._is_full = True
            self._announce_positions()

    def _announce_positions(self) -> None:
        """Emit to those that wait how many are before them."""
        with self._changed:
            free = 0 if self._is_full else self.parallel - len(self._running)
            for position, request in enumerate(list(self._queue), 1):
                self._set_position(request, max(0, position - free))

    def _set_position(self, request: Request, position: int) -> None:
        if request.position != position:
            request.position = position
            self._emit(request, Event(position=position))

    def _accept(self, request: Request, token: int) -> bool:
        """4. Count a sampled token and hand its text out; False where it ends the request."""
        self.sampled_tokens += 1
        if request.cancelled.is_set():
            return False
        if self.is_end(token):
            request.finish = "stop"
            return False
        request.tokens += 1
        text = request.decoder.push(request.markers.get(token) or self.token_bytes(token))
        self._emit(request, Event(text=text, tokens=request.tokens))
        return not request.decoder.stopped and request.tokens < request.sampling.max_tokens

    def _finish(self, request: Request, error: ModelError | None = None) -> None:
        """5. End a running request: emit the rest of its text, or its failure."""
        with self._changed:
            self._running.remove(request)
            if self._is_closed and request.cancelled.is_set():
                error = error or self._closed_error()
        rest = request.decoder.close()
        finish = "stop" if request.decoder.stopped else request.finish or "length"
        self._emit(request, Event(error=error) if error else Event(text=rest, tokens=request.tokens, finish=finish))

    def _abort(self, request: Request, error: ModelError) -> None:
        """Give up a running request, wherever the step was with it."""
        self._finish(request, error)

    def _closed_error(self) -> ModelError:
        return ModelAPIError(f"The {self.name} model was closed; start it again.")

    @staticmethod
    def _emit(request: Request, event: Event) -> None:
        try:
            request.emit(event)
        except RuntimeError:  # the owner's event loop is gone: nobody is left to receive it
            request.cancel()
