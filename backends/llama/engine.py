"""Many chats at once on one llama.cpp context: continuous batching, in one thread.

Each step computes the token that was drawn last of every chat that is being written, in one batch, then a piece of the
prompts of those that have just come. So requests join and leave between two tokens, and a long prompt stalls nobody.
What was computed for a conversation stays, and its next turn begins there. Knows tokens; nothing of messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from langchain_core.exceptions import ModelAPIError, ModelError, ModelInvalidRequestError

from backends.llama.cache import Cache
from backends.llama.context import BATCH, Context, Limits
from backends.llama.model import Model
from backends.llama.sampler import Sampler
from backends.local.engine import Engine, Request
from backends.local.prefix import continued, shared

PACE = 32 * 10**9  # parameters times tokens: a piece of a prompt that delays the other chats by a fraction of a second
WORTH = 8  # tokens: to copy fewer than these takes as long as to compute them
FULL = 1  # llama_decode: there is no room in the context

Row = tuple["Slot", list[int]]  # a chat and which of its tokens a step computes


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
        self._piece = max(16, min(BATCH // 2, PACE // model.parameters))
        self._context = Context(model, limits)
        self._batch = self.api.llama_batch_init(BATCH, 0, 1)
        self._cache = Cache(self._context, cache)
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
        with self._changed:  # two may close at once
            if not self._thread.is_alive() and self._context.pointer:
                self.api.llama_batch_free(self._batch)
                self._context.close()
                self.model.close()

    # Joining

    def _join(self, request: Request) -> bool:
        """Give a request a slot that has computed as much of its prompt as can be; False where it has to wait."""
        free = [slot for slot in self._slots if slot.request is None]
        need = len(request.prompt) + request.sampling.max_tokens
        if not request.prompt or need > self.limits.total:
            raise ModelInvalidRequestError(
                f"llamacpp: a request of {need} tokens, reply included; it takes from 2 to {self.limits.total}, "
                "of which the prompt is at least one."
            )
        if not free or need > self.limits.total - sum(slot.reserved for slot in self._slots):
            return False
        slot = self._prepared(free, request)
        slot.sampler = Sampler(self.model, self.window, request.sampling, request.prompt)
        slot.request, slot.todo = request, list(request.prompt[len(slot.past) :])
        self._joined += 1
        slot.used = self._joined
        return True

    def _prepared(self, free: Sequence[Slot], request: Request) -> Slot:
        """The free slot whose conversation goes on, else an empty one, else the least used one, its past put aside."""
        prompt = request.prompt[:-1]  # the last token is computed for its logits
        mine = max(free, key=lambda slot: (continued(slot.past, prompt), not slot.past, -slot.used))
        for slot in free:
            if slot is not mine and not self.limits.parts:  # there each token looks at all that is kept
                self._aside(slot)
        if shared(mine.past, prompt) < len(mine.past):
            self._cache.keep(mine.number, mine.past)
        # A beginning computed in other batches rounds otherwise: with a seed all of it is computed anew.
        self._cut(mine, 0 if request.sampling.seed is not None else shared(mine.past, prompt))
        if request.sampling.seed is None:
            self._borrow(mine, prompt)
        return mine

    def _borrow(self, mine: Slot, prompt: Sequence[int]) -> None:
        """Take a longer beginning over from another chat, or from what was put aside."""
        others = ((shared(slot.past, prompt), -len(slot.past), slot.number) for slot in self._slots if slot is not mine)
        common, _, number = max(others, default=(0, 0, 0))
        length, kept = self._cache.best(prompt)
        if max(common, length) < len(mine.past) + WORTH:
            return
        self._cut(mine, 0)
        if common >= length:
            mine.past = list(prompt[: self._context.copy(number, mine.number, common)])
        elif kept is not None:
            mine.past = list(kept.tokens) if self._cache.restore(kept, mine.number) else []
            self._cut(mine, min(length, len(mine.past)))

    def _aside(self, slot: Slot) -> None:
        if slot.past:
            self._cache.keep(slot.number, slot.past)
            self._cut(slot, 0)

    def _cut(self, slot: Slot, length: int) -> None:
        """Forget what was computed after the first `length` tokens."""
        if length < len(slot.past) or not length:
            del slot.past[self._context.cut(slot.number, length) :]

    # A step

    def _advance(self) -> None:
        """The next token of every chat that is being written, then a piece of the prompts that came first."""
        for slot in self._busy():
            if slot.request is not None and slot.request.cancelled.is_set():
                self._free(slot)
        self._close_ranks()
        writing = self._writing()
        if writing:
            self._compute([(slot, slot.todo) for slot in sorted(writing, key=lambda slot: slot.number)])
        left = self._piece if writing else min(BATCH, 4 * self._piece)
        for slot in sorted(self._busy(), key=lambda slot: slot.used):
            if slot not in writing and left > 0:
                left -= self._read(slot, left)

    def _busy(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.request is not None]

    def _writing(self) -> list[Slot]:
        return [slot for slot in self._busy() if slot.request is not None and slot.request.tokens]

    def _close_ranks(self) -> None:
        """Those that are being written take the first parts of the context: neighbours are computed in one go."""
        writing = self._writing()
        last = [slot for slot in writing if slot.number >= len(writing)]
        gaps = [slot for slot in self._slots if slot.number < len(writing) and slot not in writing]
        for slot, gap in zip(last, gaps, strict=True):
            if self.limits.parts and not self._context.swap(slot.number, gap.number):
                slot.past, gap.past = [], []
                self._free(slot, ModelAPIError("llamacpp: its context could not be moved; the request was given up."))
            elif self.limits.parts:
                slot.number, gap.number = gap.number, slot.number

    def _read(self, slot: Slot, most: int) -> int:
        """Compute the next piece of a prompt; how many tokens it had."""
        assert slot.request is not None
        if slot.request.cancelled.is_set():
            return 0
        if slot.request.sampling.seed is None:  # another may have computed its beginning by now
            self._borrow(slot, slot.request.prompt[:-1])
        slot.todo = list(slot.request.prompt[len(slot.past) :])
        # With a seed always the same pieces: others would round otherwise.
        piece = slot.todo[: most if slot.request.sampling.seed is None else self._piece]
        self._compute([(slot, piece)])
        return len(piece)

    def _compute(self, rows: Sequence[Row]) -> None:
        """Where llama.cpp cannot, each is tried alone: one request is given up, and the others go on."""
        last = self._fill(rows)
        other = self._accompany(rows)
        status = self.api.llama_decode(self._context.pointer, self._batch)
        if other is not None:
            del other.past[self._context.cut(other.number, len(other.past)) :]
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

    def _accompany(self, rows: Sequence[Row]) -> Slot | None:
        """The neighbour that gets a token, to be forgotten again, beside a single one of a seeded request.

        llama.cpp computes one token with other kernels than two or eight, which round otherwise; so the text is the
        same in whatever company. Only where each chat looks at a part of its own.
        """
        (slot, tokens), batch = rows[0], self._batch
        if batch.n_tokens > 1 or slot.request is None or slot.request.sampling.seed is None:
            return None
        writing = self._writing()
        beside = [other for other in self._slots if abs(other.number - slot.number) == 1 and other not in writing]
        if not (beside and self.limits.parts):
            return None
        if len(beside[0].past) >= self.window:
            self._aside(beside[0])
        batch.token[1], batch.pos[1], batch.n_seq_id[1] = tokens[0], len(beside[0].past), 1
        batch.seq_id[1][0], batch.logits[1], batch.n_tokens = beside[0].number, 0, 2
        return beside[0]

    def _draw(self, slot: Slot, row: int) -> None:
        assert slot.sampler is not None
        assert slot.request is not None
        token = slot.sampler.draw(self._context.pointer, row)
        if self._accept(slot.request, token):
            slot.todo = [token]
        else:
            self._free(slot)

    def _drop(self, request: Request, error: ModelError) -> None:
        slot = next(slot for slot in self._busy() if slot.request is request)
        self._cut(slot, 0)
        self._free(slot, error)

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
