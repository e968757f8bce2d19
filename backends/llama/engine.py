"""Many chats at once on one llama.cpp context: continuous batching, in one thread.

A request joins (`_admit`) where a slot is free: 1. choose the slot, 2. forget what it holds of another conversation,
3. reuse what anybody computed of this prompt. Each step (`_step`) then goes on with all of them: 1. release who left,
2. compact, so that those that decode are neighbours, 3. decode one token of each in one batch, 4. prefill a chunk of
the prompts of those that have just come, 5. sample where a chat's last token was computed, 6. hand the token out.
So requests join and leave between two tokens, and a long prompt stalls nobody. A reply without a bound has memory for
what replies mostly need; where all together come to need more than there is, who came last waits until it is free.
Knows tokens; nothing of messages.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from langchain_core.exceptions import ModelAPIError, ModelError, ModelInvalidRequestError

from backends.llama.cache import Held, StateCache
from backends.llama.context import BATCH, Context, Limits, chunk_size
from backends.llama.model import Model
from backends.llama.sampler import Sampler
from backends.llama.states import StateFolder
from backends.local.engine import Engine, Request
from backends.local.prefix import common_prefix, continued_prefix

MIN_REUSE = 8  # tokens: to copy fewer than these takes as long as to compute them
NO_ROOM = 1  # llama_decode: there is no room in the context

Chunk = tuple["Slot", list[int]]  # a slot and which of its tokens a batch computes


@dataclass(eq=False)
class Slot:
    """A sequence of the context: `past` are the tokens computed for it, `pending` those still to compute.

    `conversation` is the one that `past` belongs to, and that came `began` (seconds of the epoch); None where it may be
    kept in memory alone.
    """

    number: int
    past: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    request: Request | None = None
    sampler: Sampler | None = None
    last_used: int = 0
    conversation: str | None = None
    began: float = 0.0

    @property
    def reserved(self) -> int:
        """Tokens of the context that are set aside for its request."""
        return 0 if self.request is None else max(self.request.need, self.held)

    @property
    def held(self) -> int:
        """Tokens of the context that it has, and needs for its next step."""
        return len(self.past) + len(self.pending)

    @property
    def is_decoding(self) -> bool:
        """Whether the next step computes the token that was drawn last, and nothing else."""
        return self.request is not None and self.request.tokens > 0 and len(self.pending) == 1


class LlamaEngine(Engine):
    """A model, its context, and the chats in it."""

    name = "llamacpp"

    def __init__(self, model: Model, limits: Limits, cache: int, folder: StateFolder | None = None) -> None:
        """`cache`: bytes of conversations kept beside those that run; `folder` keeps them while the model is away.

        Raises ModelAPIError where memory lacks.
        """
        self.model, self.api = model, model.api
        self.limits, self.window, self.parallel = limits, limits.window, limits.parallel
        self.parameters = model.parameters
        self._chunk_size = chunk_size(model.parameters)
        self._context = Context(model, limits)
        self._batch = self.api.llama_batch_init(BATCH, 0, 1)
        self._cache = StateCache(self._context, cache, folder)
        self._slots = [Slot(number) for number in range(limits.parallel)]
        self._admitted = 0
        self.special_tokens, self.template_variables = model.special_tokens, model.template_variables
        self.bos_ids, self.saved_sampling = model.bos_ids, model.saved_sampling()
        super().__init__()

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text. Raises ModelAPIError after `close`."""
        return self.model.encode(text)

    def special_id(self, text: str) -> int:
        """The id of one of `special_tokens`."""
        return self.model.special_id(text)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token; none of a control token."""
        return self.model.token_bytes(token)

    def is_end(self, token: int) -> bool:
        """Whether the token ends a reply."""
        return self.model.is_end(token)

    def end_replies_at(self, token: int) -> None:
        """Have this token end replies too."""
        self.model.end_ids |= {token}

    def close(self) -> None:
        """End the thread, then give back the memory."""
        super().close()
        with self._changed:  # two may close at once
            if not self._thread.is_alive() and self._context.pointer:
                self.api.llama_batch_free(self._batch)
                self._context.close()
                self.model.close()

    def leave(self) -> None:
        """Close, after what was computed for conversations is written into files."""
        super().close()
        if not self._thread.is_alive() and self._context.pointer:
            slots = sorted((slot for slot in self._slots if slot.past), key=lambda slot: slot.last_used)
            self._cache.save([Held(slot.number, slot.past, slot.conversation, slot.began) for slot in slots])
        self.close()

    # A request joins

    def _admit(self, request: Request) -> bool:
        """Give a request a slot that holds as much of its prompt as can be; False where it has to wait."""
        free = [slot for slot in self._slots if slot.request is None]
        most = len(request.prompt) + request.sampling.max_tokens
        if not request.prompt or most > self.limits.total:
            raise ModelInvalidRequestError(
                f"llamacpp: a request of {most} tokens, reply included; it takes from 2 to {self.limits.total}, "
                "of which the prompt is at least one."
            )
        if not free or request.need > self.limits.total - sum(slot.reserved for slot in self._slots):
            return False
        slot = self._prepare_slot(free, request)
        slot.sampler = Sampler(self.model, self.window, request.sampling, request.prompt, request.drawn)
        slot.request, slot.pending = request, request.sequence[len(slot.past) :]
        slot.conversation, slot.began = request.conversation, time.time()
        self._admitted += 1
        slot.last_used = self._admitted
        return True

    def _prepare_slot(self, free: Sequence[Slot], request: Request) -> Slot:
        prompt = request.sequence[:-1]  # the last token is computed for its logits
        # 1. Choose: whose conversation goes on, else an empty slot, else the least used one.
        chosen = max(free, key=lambda slot: (continued_prefix(slot.past, prompt), not slot.past, -slot.last_used))
        # 2. Forget: the rest of a conversation goes to the cache first.
        for slot in free:
            if slot is not chosen and not self.limits.is_partitioned:  # there each token looks at all that is kept
                self._evict(slot)
        common = common_prefix(chosen.past, prompt)
        if common < len(chosen.past):
            self._cache.store(chosen.number, chosen.past, chosen.conversation, chosen.began)
        # 3. Reuse. A beginning computed in other batches rounds otherwise: with a seed all of it is computed anew.
        self._truncate(chosen, 0 if request.sampling.seed is not None else common)
        if request.sampling.seed is None:
            self._reuse_prefix(chosen, prompt)
        return chosen

    def _reuse_prefix(self, slot: Slot, prompt: Sequence[int]) -> None:
        """Copy a longer beginning of a prompt from another slot, or from the cache."""
        others = ((common_prefix(s.past, prompt), -len(s.past), s.number) for s in self._slots if s is not slot)
        common, _, number = max(others, default=(0, 0, 0))
        length, cached = self._cache.longest_prefix(prompt)
        if max(common, length) < len(slot.past) + MIN_REUSE:
            return
        self._truncate(slot, 0)
        if common >= length:
            slot.past = list(prompt[: self._context.copy(number, slot.number, common)])
        elif cached is not None:
            slot.past = list(cached.tokens) if self._cache.restore(cached, slot.number) else []
            self._truncate(slot, min(length, len(slot.past)))

    def _evict(self, slot: Slot) -> None:
        """Move what a slot holds to the cache."""
        if slot.past:
            self._cache.store(slot.number, slot.past, slot.conversation, slot.began)
            self._truncate(slot, 0)

    def _truncate(self, slot: Slot, length: int) -> None:
        """Forget what was computed after the first `length` tokens."""
        if length < len(slot.past) or not length:
            del slot.past[self._context.truncate(slot.number, length) :]

    # A step

    def _step(self) -> None:
        """Compute the next token of every chat that decodes, then a chunk of the prompts that came first."""
        # 1. Release who left.
        for slot in self._running_slots():
            if slot.request is not None and slot.request.cancelled.is_set():
                self._release(slot)
        self._make_room()
        # 2. Compact.
        self._compact()
        # 3. Decode: the token that each drew last, all in one batch. (`_compute` samples and hands out: 5 and 6.)
        decoding = self._decoding_slots()
        if decoding:
            self._compute([(slot, slot.pending) for slot in sorted(decoding, key=lambda slot: slot.number)])
        # 4. Prefill: a chunk that delays nobody for long, or a larger one where nobody decodes.
        budget = self._chunk_size if decoding else min(BATCH, 4 * self._chunk_size)
        for slot in sorted(self._running_slots(), key=lambda slot: slot.last_used):
            if slot not in decoding and budget > 0:
                budget -= self._prefill(slot, budget)

    def _running_slots(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.request is not None]

    def _decoding_slots(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.is_decoding]

    def _make_room(self) -> None:
        """Have the next step find room in a context that all share: what nobody needs goes, then who came last."""
        if self.limits.is_partitioned:
            return
        running = sorted(self._running_slots(), key=lambda slot: slot.last_used)
        idle = sorted((slot for slot in self._slots if slot.request is None), key=lambda slot: slot.last_used)
        for slot in idle:
            if sum(slot.held for slot in self._slots) <= self.limits.total:
                return
            self._evict(slot)
        while sum(slot.held for slot in running) > self.limits.total:
            self._give_up(running.pop())

    def _give_up(self, slot: Slot) -> None:
        """Take the memory of a request, which goes on once there is some: what it drew is kept."""
        request, sampler = slot.request, slot.sampler
        assert request is not None
        assert sampler is not None
        request.drawn = [*slot.past, *slot.pending][len(request.prompt) :]
        slot.request, slot.sampler, slot.pending = None, None, []
        sampler.close()
        self._evict(slot)
        self._suspend(request)

    def _compact(self) -> None:
        """Move those that decode to the first parts of the context: neighbours are computed in one go."""
        decoding = self._decoding_slots()
        last = [slot for slot in decoding if slot.number >= len(decoding)]
        gaps = [slot for slot in self._slots if slot.number < len(decoding) and slot not in decoding]
        for slot, gap in zip(last, gaps, strict=True):
            if self.limits.is_partitioned and not self._context.swap(slot.number, gap.number):
                slot.past, gap.past = [], []
                cause = "llamacpp: its context could not be moved; the request was given up."
                self._release(slot, ModelAPIError(cause))
            elif self.limits.is_partitioned:
                slot.number, gap.number = gap.number, slot.number

    def _prefill(self, slot: Slot, budget: int) -> int:
        """Compute at most `budget` tokens of a prompt; how many they were."""
        assert slot.request is not None
        if slot.request.cancelled.is_set():
            return 0
        if slot.request.sampling.seed is None:  # another may have computed its beginning by now
            self._reuse_prefix(slot, slot.request.sequence[:-1])
        slot.pending = slot.request.sequence[len(slot.past) :]
        # With a seed always the same chunks: others would round otherwise.
        chunk = slot.pending[: budget if slot.request.sampling.seed is None else self._chunk_size]
        self._compute([(slot, chunk)])
        self.prefilled_tokens += len(chunk)
        return len(chunk)

    def _compute(self, chunks: Sequence[Chunk]) -> None:
        """Decode one batch. Where llama.cpp cannot, each is tried alone: one is given up, and the others go on."""
        last = self._fill_batch(chunks)
        padding = self._pad_batch(chunks)
        status = self.api.llama_decode(self._context.pointer, self._batch)
        if padding is not None:
            del padding.past[self._context.truncate(padding.number, len(padding.past)) :]
        if status == 0:
            for (slot, tokens), row in zip(chunks, last, strict=True):
                slot.past += tokens
                slot.pending = slot.pending[len(tokens) :]
                if not slot.pending:
                    self._sample(slot, row)
        elif len(chunks) > 1:
            for single in chunks:
                self._compute([single])
        else:
            self._fail(chunks[0][0], status)

    def _fill_batch(self, chunks: Sequence[Chunk]) -> list[int]:
        """Put tokens into the batch; the row of each chunk's last one, which has logits if it is the last pending."""
        batch, row, last = self._batch, 0, []
        for slot, tokens in chunks:
            for position, token in enumerate(tokens, len(slot.past)):
                batch.token[row], batch.pos[row], batch.n_seq_id[row] = token, position, 1
                batch.seq_id[row][0], batch.logits[row] = slot.number, 0
                row += 1
            batch.logits[row - 1] = len(tokens) == len(slot.pending)
            last.append(row - 1)
        batch.n_tokens = row
        return last

    def _pad_batch(self, chunks: Sequence[Chunk]) -> Slot | None:
        """Put a token of a neighbour, to be forgotten again, beside a single one of a seeded request; that neighbour.

        llama.cpp computes one token with other kernels than two or eight, which round otherwise; so the text is the
        same in whatever company. Only where each chat looks at a part of its own.
        """
        (slot, tokens), batch = chunks[0], self._batch
        if batch.n_tokens > 1 or slot.request is None or slot.request.sampling.seed is None:
            return None
        decoding = self._decoding_slots()
        neighbours = [s for s in self._slots if abs(s.number - slot.number) == 1 and s not in decoding]
        if not (neighbours and self.limits.is_partitioned):
            return None
        padding = neighbours[0]
        if len(padding.past) >= self.window:
            self._evict(padding)
        batch.token[1], batch.pos[1], batch.n_seq_id[1] = tokens[0], len(padding.past), 1
        batch.seq_id[1][0], batch.logits[1], batch.n_tokens = padding.number, 0, 2
        return padding

    def _sample(self, slot: Slot, row: int) -> None:
        assert slot.sampler is not None
        assert slot.request is not None
        # 5. Sample from the logits of the chat's row of the batch.
        token = slot.sampler.sample(self._context.pointer, row)
        # 6. Hand out: the token is decoded in the next step, unless it was the last.
        if self._accept(slot.request, token):
            slot.pending = [token]
        else:
            self._release(slot)

    def _abort(self, request: Request, error: ModelError) -> None:
        slot = next(slot for slot in self._running_slots() if slot.request is request)
        self._truncate(slot, 0)
        self._release(slot, error)

    def _fail(self, slot: Slot, status: int) -> None:
        cause = "its context has no room left" if status == NO_ROOM else f"llama_decode failed with status {status}"
        self._truncate(slot, 0)
        self._release(slot, ModelAPIError(f"llamacpp: {cause}; the request was given up."))

    def _release(self, slot: Slot, error: ModelError | None = None) -> None:
        """End the request; what was computed for it stays until somebody needs the slot."""
        request, sampler = slot.request, slot.sampler
        slot.request = slot.sampler = None
        slot.pending = []
        if sampler is not None:
            sampler.close()
        if request is not None:
            self._finish(request, error)
