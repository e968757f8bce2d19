"""Many chats at once on one llama.cpp context: continuous batching, in one thread.

Each step computes one batch: for a chat that is being written, the token it drew last; for one that has just come, a
piece of its prompt. So requests join and leave between two tokens, and a long prompt stalls nobody. What was computed
for a conversation stays, and its next turn begins there. Knows tokens; nothing of messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.exceptions import ModelAPIError, ModelError

from backends.gguf.cache import Cache, shared
from backends.gguf.model import Model
from backends.gguf.sampler import Sampler
from backends.local.engine import Engine, Request

BATCH = 512  # tokens of one step
PACE = 16 * 10**9  # parameters times tokens: a piece of a prompt that delays the other chats by a fraction of a second
FULL = 1  # llama_decode: there is no room in the context

Row = tuple["Slot", list[int]]  # a chat and which of its tokens a step computes


@dataclass(frozen=True)
class Limits:
    """Tokens of one chat, chats computed together, tokens of all of them, and computing threads."""

    window: int
    parallel: int
    total: int
    threads: int


@dataclass(eq=False)
class Slot:
    """A sequence of the context: `past` are the tokens computed for it, `todo` those of a prompt still to compute."""

    number: int
    past: list[int] = field(default_factory=list)
    todo: list[int] = field(default_factory=list)
    request: Request | None = None
    sampler: Sampler | None = None
    used: int = 0

    @property
    def reserved(self) -> int:
        """Places in the context that its request may come to need."""
        return 0 if self.request is None else len(self.request.prompt) + self.request.sampling.max_tokens


class LlamaEngine(Engine):
    """A model, its context and the chats in it."""

    name = "llamacpp"

    def __init__(self, model: Model, limits: Limits, cache: int) -> None:
        """`cache`: bytes that keep conversations beside those that run. Raises ModelAPIError."""
        self.model, self.api = model, model.api
        self.limits, self.window, self.parallel = limits, limits.window, limits.parallel
        self._piece = max(16, min(BATCH // 4, PACE // model.parameters))
        self._context = self._open()
        self._memory = self.api.llama_get_memory(self._context)
        self._batch = self.api.llama_batch_init(BATCH, 0, 1)
        self._cache = Cache(self.api, self._context, cache)
        self._slots = [Slot(number) for number in range(limits.parallel)]
        self._joined = 0
        self.specials = tuple(model.specials)
        self.variables = {"bos_token": model.text("bos"), "eos_token": model.text("eos")}
        self.start, self.defaults = model.start, model.sampling()
        super().__init__()

    def encode(self, text: str) -> list[int]:
        """Ids of plain text."""
        return self.model.encode(text)

    def special(self, text: str) -> int:
        """The id of a control token."""
        return self.model.specials[text]

    def data(self, token: int) -> bytes:
        """Bytes of a token."""
        return self.model.data(token)

    def ends(self, token: int) -> bool:
        """Whether the token ends generation."""
        return self.model.end(token)

    def close(self) -> None:
        """End the thread, then give back the memory."""
        super().close()
        if not self._thread.is_alive() and self._context:
            self.api.llama_batch_free(self._batch)
            self.api.llama_free(self._context)
            self.model.close()
            self._context = None

    def _open(self) -> Any:
        params, limits = self.api.llama_context_default_params(), self.limits
        params.n_ctx, params.n_seq_max, params.kv_unified = limits.total, limits.parallel, True
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = limits.threads
        params.flash_attn_type = self.api.LLAMA_FLASH_ATTN_TYPE_ENABLED
        context = self.api.llama_init_from_model(self.model.pointer, params)
        if not context:
            raise ModelAPIError(
                f"llamacpp: no memory for {limits.total} tokens; lower LLAMACPP_KV_TOKENS or LLAMACPP_N_CTX."
            )
        return context

    # Joining

    def _join(self, request: Request) -> bool:
        """Give a request a slot that has computed as much of its prompt as can be; False where it has to wait."""
        free = [slot for slot in self._slots if slot.request is None]
        need = len(request.prompt) + request.sampling.max_tokens
        if not free or need > self.limits.total - sum(slot.reserved for slot in self._slots):
            return False
        slot = self._prepared(free, request)
        slot.request, slot.todo = request, list(request.prompt[len(slot.past) :])
        self._joined += 1
        slot.used = self._joined
        slot.sampler = Sampler(self.model, self.window, request.sampling, request.prompt)
        return True

    def _prepared(self, free: Sequence[Slot], request: Request) -> Slot:
        """A free slot whose past is a beginning of the prompt; what the others had is put aside."""
        prompt = request.prompt[:-1]  # the last token is computed for its logits
        mine = max(free, key=lambda slot: (shared(slot.past, prompt), not slot.past, -slot.used))
        for slot in free:
            if slot is not mine or shared(slot.past, prompt) < len(slot.past):
                self._aside(slot)
        # A beginning computed in other batches rounds otherwise: with a seed all of it is computed anew.
        self._cut(mine, 0 if request.sampling.seed is not None else shared(mine.past, prompt))
        if request.sampling.seed is None:
            self._borrow(mine, prompt)
        return mine

    def _borrow(self, mine: Slot, prompt: Sequence[int]) -> None:
        """Take a longer beginning over from a running chat, or from what was put aside."""
        other = max((s for s in self._slots if s is not mine), key=lambda s: shared(s.past, prompt), default=mine)
        length, kept = self._cache.best(prompt)
        if shared(other.past, prompt) > max(len(mine.past), length - 1):
            self._cut(mine, 0)
            mine.past = list(other.past[: shared(other.past, prompt)])
            self.api.llama_memory_seq_cp(self._memory, other.number, mine.number, 0, len(mine.past))
        elif kept is not None and length > len(mine.past):
            self._cut(mine, 0)
            if self._cache.restore(kept, mine.number):
                mine.past = list(kept.tokens)
            self._cut(mine, length)

    def _aside(self, slot: Slot) -> None:
        if slot.past:
            self._cache.keep(slot.number, slot.past)
            if slot.request is None:
                self._cut(slot, 0)

    def _cut(self, slot: Slot, length: int) -> None:
        """Forget what was computed after the first `length` tokens; some models can only forget all."""
        if not self.api.llama_memory_seq_rm(self._memory, slot.number, length, -1):
            self.api.llama_memory_seq_rm(self._memory, slot.number, -1, -1)
            length = 0
        del slot.past[length:]

    # A step

    def _advance(self) -> None:
        """Compute one batch and draw the next token of every chat whose prompt is done."""
        for slot in self._busy():
            if slot.request is not None and slot.request.cancelled.is_set():
                self._free(slot)
        rows = self._rows()
        if rows:
            self._compute(rows)

    def _busy(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.request is not None]

    def _rows(self) -> list[Row]:
        """Which tokens this step computes: those drawn last, then pieces of prompts, the first come first."""
        busy = sorted(self._busy(), key=lambda slot: slot.used)
        writing = [slot for slot in busy if slot.request is not None and slot.request.tokens]
        rows = [(slot, slot.todo) for slot in writing]
        left = min(BATCH - len(writing), self._piece if writing else 4 * self._piece)
        for slot in busy:
            if slot not in writing and left > 0:
                rows.append((slot, slot.todo[:left]))
                left -= len(slot.todo[:left])
        return rows

    def _compute(self, rows: Sequence[Row]) -> None:
        """Where llama.cpp cannot, each is tried alone: one request is given up, and the others go on."""
        last = self._fill(rows)
        status = self.api.llama_decode(self._context, self._batch)
        if status == 0:
            for (slot, tokens), row in zip(rows, last, strict=True):
                slot.past += tokens
                slot.todo = slot.todo[len(tokens) :]
                if not slot.todo:
                    self._draw(slot, row)
        elif len(rows) > 1:
            for single in rows:
                self._compute([single])
        else:
            self._give_up(rows[0][0], status)

    def _fill(self, rows: Sequence[Row]) -> list[int]:
        """Put tokens into the batch; where the last one of each row stands."""
        batch, at, last = self._batch, 0, []
        for slot, tokens in rows:
            for place, token in enumerate(tokens, len(slot.past)):
                batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, place, 1
                batch.seq_id[at][0], batch.logits[at] = slot.number, 0
                at += 1
            batch.logits[at - 1] = len(tokens) == len(slot.todo)
            last.append(at - 1)
        batch.n_tokens = at
        return last

    def _draw(self, slot: Slot, row: int) -> None:
        assert slot.sampler is not None
        assert slot.request is not None
        token = slot.sampler.draw(self._context, row)
        if self._accept(slot.request, token):
            slot.todo = [token]
        else:
            self._free(slot)

    def _give_up(self, slot: Slot, status: int) -> None:
        cause = "its context has no room left" if status == FULL else f"llama_decode failed with status {status}"
        self._cut(slot, 0)
        self._free(slot, ModelAPIError(f"llamacpp: {cause}; the request was given up."))

    def _free(self, slot: Slot, error: ModelError | None = None) -> None:
        """The request leaves; what was computed for it stays until somebody needs the slot."""
        request, sampler = slot.request, slot.sampler
        slot.request = slot.sampler = None
        slot.todo = []
        if sampler is not None:
            sampler.close()
        if request is not None:
            self._end(request, error)
