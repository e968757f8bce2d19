"""Chats with a real engine over the shipped GGUF: who asks, what was drawn and computed, what one alone would get."""

import ctypes
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import llama_library
from backends.llama.context import Limits
from backends.llama.engine import LlamaEngine
from backends.llama.model import Model
from backends.llama.pace import Pace
from backends.llama.projector import Projector
from backends.llama.sight import Sight
from backends.llama.states import StateFolder
from backends.local.decoder import StreamDecoder
from backends.local.engine import Event, Request
from backends.local.picture import Picture, place
from backends.local.sampling import Sampling
from tests.conftest import GGUF

TIE = 0.02  # logits: within f16's rounding
PATIENCE = 120  # seconds after which a test gives up
GREEDY: dict[str, Any] = {"temperature": 0.0, "repetition_penalty": 1.0}


class Watched:
    """llama.cpp's interface, with a note of each computed batch (tokens by sequence) and of samplers made and freed."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self.batches: list[Counter[int]] = []
        self.samplers = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def llama_decode(self, context: Any, batch: Any) -> int:
        status = int(self._api.llama_decode(context, batch))
        if status == 0:
            self.batches.append(Counter(batch.seq_id[at][0] for at in range(batch.n_tokens)))
        return status

    def llama_sampler_chain_init(self, params: Any) -> Any:
        self.samplers += 1
        return self._api.llama_sampler_chain_init(params)

    def llama_sampler_free(self, chain: Any) -> None:
        self.samplers -= 1
        self._api.llama_sampler_free(chain)

    @property
    def computed(self) -> int:
        """Tokens of all batches."""
        return sum(batch.total() for batch in self.batches)


class Watching(LlamaEngine):
    """The engine, with a note of what was drawn for whom."""

    def __init__(
        self,
        model: Model,
        limits: Limits,
        cache: int,
        pace: Pace | None = None,
        folder: StateFolder | None = None,
        sight: Sight | None = None,
    ) -> None:
        self.watched = model.api = Watched(model.api)
        self.drawn: dict[Request, list[int]] = {}
        super().__init__(model, limits, cache, folder, sight)
        self._pace = pace or self._pace

    def _accept(self, request: Request, token: int) -> bool:
        self.drawn.setdefault(request, []).append(token)
        return super()._accept(request, token)

    def left(self, slot: Any) -> int:
        """The highest place that a sequence still holds, -1 where it is empty."""
        return int(self.api.llama_memory_seq_pos_max(self._context.memory, slot.number))


@contextmanager
def opened(
    parallel: int = 8,
    total: int = 4096,
    *,
    window: int = 1024,
    cache: int = 2**26,
    path: Path = GGUF,
    pace: Pace | None = None,
    folder: StateFolder | None = None,
    projector: Path | None = None,
) -> Iterator[Watching]:
    """An engine of this size, closed afterwards; on one thread, which on a busy machine waits for no other."""
    model = Model(path, 0)
    sight = Sight(Projector(projector, model, 1), None) if projector else None
    engine = Watching(model, Limits(window, parallel, total, 1), cache, pace, folder, sight)
    try:
        yield engine
    finally:
        engine.close()


class Ear:
    """One request and whoever hears of it."""

    def __init__(
        self,
        engine: LlamaEngine,
        prompt: str | Sequence[int],
        *,
        stop: Sequence[str] = (),
        hear: Callable[[Event], object] = lambda event: None,
        expected: int | None = None,
        conversation: str | None = None,
        pictures: Sequence[Picture] = (),
        **sampling: Any,
    ) -> None:
        ids = engine.encode(prompt) if isinstance(prompt, str) else list(prompt)
        self.engine, self.events, self._over, self._hear = engine, list[Event](), threading.Event(), hear
        options = Sampling(**{**GREEDY, "max_tokens": 20, **sampling})
        text = StreamDecoder(stop)
        self.request = Request(ids, options, text, self._emit, expected=expected, conversation=conversation)
        self.request.views = place(ids, pictures)

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        self._hear(event)
        if event.finish is not None or event.error is not None:
            self._over.set()

    def ask(self) -> "Ear":
        """Put the request into the line."""
        self.engine.submit(self.request)
        return self

    def heard(self, tokens: int) -> bool:
        """Wait for so many tokens; False where it ended before."""
        while self.request.tokens < tokens and not self._over.wait(0.0005):
            pass
        return self.request.tokens >= tokens

    def end(self) -> Event:
        """Wait for the last event."""
        assert self._over.wait(PATIENCE), "no end was heard"
        return self.events[-1]

    def reply(self) -> str:
        """The whole text. Raises what the request ended with."""
        last = self.end()
        if last.error is not None:
            raise last.error
        return self.text

    @property
    def text(self) -> str:
        """What was heard so far."""
        return "".join(event.text for event in list(self.events))


class Alone:
    """The same weights in a context of their own, one token after the other, without any of the engine's code."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._api: Any = llama_library.load()
        params = self._api.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = 1024
        params.n_threads = params.n_threads_batch = 1
        self._context = self._api.llama_init_from_model(model.pointer, params)
        self._known: dict[tuple[int, ...], list[int]] = {}

    def logits(self, ids: Sequence[int]) -> Any:
        """Of the next token after all of these."""
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)
        return self._compute(ids)

    def _compute(self, ids: Sequence[int]) -> Any:
        array = (self._api.llama_token * len(ids))(*ids)
        assert self._api.llama_decode(self._context, self._api.llama_batch_get_one(array, len(ids))) == 0
        found = self._api.llama_get_logits_ith(self._context, -1)
        shape = (self._model.vocabulary_size,)
        return np.ctypeslib.as_array(ctypes.cast(found, ctypes.POINTER(ctypes.c_float)), shape).copy()

    def greedy(self, request: Request, stop: Sequence[str] = ()) -> list[int]:
        """The tokens drawn for a greedy request, the one that ends it among them."""
        ends, text, drawn = list(self._model.end_ids), StreamDecoder(stop), list[int]()
        logits = self.logits(request.prompt)
        while len(drawn) < request.sampling.max_tokens and not text.stopped:
            if not drawn or request.sampling.ignore_eos:
                logits[ends] = -math.inf
            drawn.append(int(logits.argmax()))
            if drawn[-1] in ends:
                break
            text.push(self._model.token_bytes(drawn[-1]))
            logits = self._compute(drawn[-1:])
        return drawn

    def same(self, request: Request, drawn: Sequence[int], expected: Sequence[int], tie: float = TIE) -> bool:
        """Whether two begin alike; where they part, the two tokens must be a tie."""
        for at, (one, other) in enumerate(zip(drawn, expected, strict=False)):
            if one != other:
                logits = self.logits([*request.prompt, *expected[:at]])
                return bool(abs(logits[one] - logits[other]) < tie)
        return True

    def close(self) -> None:
        """Give the context back."""
        self._api.llama_free(self._context)
