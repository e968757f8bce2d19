"""Many chats at once on one llama.cpp context: continuous batching, in one thread.

A request joins (`_admit`) where a place is free. Each step (`_step`) then goes on with all of them: 1. release who
left, 2. compact, so that those that decode are neighbours, 3. decode one token of each in one batch, where it pays with
guesses of what follows, 4. prefill pieces of the prompts of those that have just come, in the same batch where all
chats share one memory, 5. sample where a chat's last token was computed: a guess that comes true is a token won, the
others are forgotten, 6. hand the token out. So requests join and leave between two tokens, and a long prompt stalls
nobody. A reply without a bound has memory for what replies mostly need; where all together come to need more than there
is, who came last waits until it is free.
Knows tokens; nothing of messages.
"""

import time
from collections.abc import Collection, Iterator, Sequence

from langchain_core.exceptions import ModelAPIError, ModelError, ModelInvalidRequestError

from backends.llama.archive import StateArchive
from backends.llama.batch import Batch, Chunk
from backends.llama.cache import StateCache
from backends.llama.context import BATCH, Context, Limits, chunk_size
from backends.llama.draft import Draft
from backends.llama.model import Model
from backends.llama.pace import MOST_ROWS, Pace
from backends.llama.places import MIN_REUSE, Places
from backends.llama.pooling import mean_states
from backends.llama.sampler import Sampler
from backends.llama.sight import Sight, decode, failure, next_piece, wait
from backends.llama.slot import Slot
from backends.llama.states import StateFolder
from backends.local.engine import Engine, Request
from backends.local.prefix import common_prefix

ONE_ROW = 256  # tokens beyond which llama.cpp computes a single row with other kernels than two, on several threads
NO_ROOM = 1  # llama_decode: there is no room in the context


class LlamaEngine(Engine):
    """A model, its context, and the chats in it."""

    name = "llamacpp"

    def __init__(
        self, model: Model, limits: Limits, cache: int, folder: StateFolder | None = None, sight: Sight | None = None
    ) -> None:
        """`cache`: bytes of conversations kept beside those that run; `folder` keeps them for another process.

        `sight`: how it sees pictures. Raises ModelAPIError where memory lacks.
        """
        self.model, self.api = model, model.api
        self.limits, self.window, self.parallel = limits, limits.window, limits.parallel
        self.parameters, self.vocabulary_size = model.parameters, model.vocabulary_size
        self._chunk_size = chunk_size(model.parameters)
        self._context = Context(model, limits)
        self._batch, self._pace = Batch(self.api, self._context.place), Pace()
        self.eye = self.sight = sight or Sight(None, self.blindness)
        self._computed = 0.0
        self._context.has_sides = self.sight.has_sides
        self._cache = StateCache(self._context, cache, StateArchive(folder, cache) if folder else None)
        self._places = Places(self._context, self._cache, limits)
        self._slots = self._places.slots
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

    def end_tokens(self) -> Collection[int]:
        """The tokens that end a reply."""
        return self.model.end_ids

    def end_replies_at(self, token: int) -> None:
        """Have this token end replies too."""
        self.model.end_ids |= {token}

    def mean_states(self, texts: Sequence[Sequence[int]]) -> Iterator[list[float]]:
        """A vector for each text of token ids. Raises ModelAPIError."""
        return mean_states(self.model, texts)

    def close(self) -> None:
        """End the thread, have what was computed for conversations in files, then give back the memory."""
        super().close()
        with self._changed:  # two may close at once
            if not self._thread.is_alive() and self._context.pointer:
                self._places.close()
                self.sight.close()
                self._batch.close()
                self._context.close()
                self.model.close()

    def _due(self) -> float | None:
        return self._places.due()

    def _tidy(self) -> None:
        self._places.tidy()

    # A request joins

    def _admit(self, request: Request) -> bool:
        """Give a request a slot that holds as much of its prompt as can be; False where it has to wait."""
        free = self._places.free()
        most = len(request.prompt) + request.sampling.max_tokens
        if not request.prompt or most > self.limits.total:
            raise ModelInvalidRequestError(
                f"llamacpp: a request of {most} tokens, reply included; it takes from 2 to {self.limits.total}, "
                "of which the prompt is at least one."
            )
        if not free or request.need > self.limits.total - sum(slot.reserved for slot in self._slots):
            return False
        slot = self._places.prepare(free, request)
        slot.sampler = Sampler(
            self.model, self.window, request.sampling, request.prompt, request.drawn, request.matcher
        )
        slot.request, slot.pending = request, request.sequence[len(slot.past) :]
        self.sight.encode(slot)
        slot.draft = Draft(request.sequence) if self._may_draft(request) else None
        slot.conversation, slot.began = request.conversation, time.time()
        self._admitted += 1
        slot.last_used = self._admitted
        return True

    # A step

    def _step(self) -> None:
        """Compute the next token of every chat that decodes, and pieces of the prompts that came first."""
        # 1. Release who left.
        for slot in self._places.running():
            if slot.request is not None and (slot.request.cancelled.is_set() or failure(slot)):
                self._release(slot, failure(slot))
        self._make_room()
        # 2. Compact.
        for slot in self._places.compact():
            self._release(slot, ModelAPIError("llamacpp: its context could not be moved; the request was given up."))
        # 3. Decode, and 4. prefill. (`_compute` samples and hands out: 5 and 6.)
        decoding, before = self._places.decoding(), self._computed
        if self.limits.is_partitioned:  # llama.cpp would compute prompts apart anyway, cut where others round otherwise
            self._decode(decoding)
            for chunk in self._pieces(decoding):
                self._prefill([chunk])
        else:
            pieces = list(self._pieces(decoding))
            if together := [chunk for chunk in pieces if chunk.seen is None]:
                self._prefill([*(Chunk(slot, slot.pending) for slot in decoding), *together])
            else:
                self._decode(decoding)
            for chunk in (chunk for chunk in pieces if chunk.seen is not None):  # computed apart: numbers, not tokens
                self._prefill([chunk])
        if self._computed == before:
            wait(self._places.running())

    def _decode(self, decoding: Sequence[Slot]) -> None:
        """Compute the token that each drew last, all in one batch, with as many guesses as pay."""
        if not decoding:
            return
        guesses = self._guesses(decoding)
        chunks = [Chunk(slot, slot.pending + guess, len(guess)) for slot, guess in zip(decoding, guesses, strict=True)]
        if not any(guesses) and self._pace.is_split(len(chunks)) and not any(map(_is_seeded, decoding)):
            for chunk in chunks:
                self._decode_batch([chunk])
        else:
            self._decode_batch(chunks)

    def _decode_batch(self, chunks: Sequence[Chunk]) -> None:
        began = time.perf_counter()
        rows = self._compute(chunks)
        self._pace.note(rows, self._computed - began)

    def _may_draft(self, request: Request) -> bool:
        """Whether guesses leave the text of a request as it is; of a text that chance makes, as it might be.

        Two rows and more round alike, and one otherwise: so it may with a seed, which is never computed in one row
        where chats have parts of their own.
        """
        sampling = request.sampling
        if not self._context.can_rewind:
            return False
        if sampling.seed is not None:
            return self.limits.is_partitioned
        return sampling.temperature > 0 or self._context.rounds_alike

    def _guesses(self, decoding: Sequence[Slot]) -> list[list[int]]:
        """What each chat may go on with, equally long: as many tokens as pay, or none."""
        none: list[list[int]] = [[] for _ in decoding]
        drafts = [slot.draft for slot in decoding if slot.draft is not None and self._may_guess(slot)]
        room = min(map(self._room, decoding))
        if len(drafts) < len(decoding) or 2 * len(decoding) > MOST_ROWS or room < 1:
            return none
        guesses = [draft.guess(min(room, MOST_ROWS)) for draft in drafts]
        least = 2 if any(map(_is_seeded, decoding)) else 1
        length = self._pace.draft([draft.share for draft in drafts], min(map(len, guesses)), least)
        return [guess[:length] for guess in guesses] if length else none

    def _may_guess(self, slot: Slot) -> bool:
        """Whether the kernels for one row and for several round alike at this length, where that counts."""
        assert slot.request is not None
        sampling = slot.request.sampling
        if sampling.seed is not None or sampling.temperature > 0 or self.limits.threads == 1:
            return True
        held = slot.held if self.limits.is_partitioned else sum(each.held for each in self._slots)
        return held + MOST_ROWS <= ONE_ROW

    def _room(self, slot: Slot) -> int:
        """How many tokens may be computed after the next one of a chat."""
        assert slot.request is not None
        left = slot.request.sampling.max_tokens - slot.request.tokens - 1
        if self.limits.is_partitioned:
            return min(left, self.window - slot.held)
        spare = self.limits.total - sum(each.held for each in self._slots)
        return min(left, self.window - slot.held, spare // len(self._places.decoding()))

    def _pieces(self, decoding: Sequence[Slot]) -> Iterator[Chunk]:
        """Pieces of prompts, who came first before the others; they delay nobody for longer than is set."""
        budget = self._pace.piece(self._chunk_size) if decoding else min(BATCH, 4 * self._chunk_size)
        budget = min(budget, BATCH - len(decoding))
        before: list[Chunk] = []
        for slot in self._places.running():
            if slot in decoding or budget <= 0:
                continue
            chunk = self._piece(slot, budget, before)
            if chunk is not None:
                budget -= len(chunk.tokens)
                before.append(chunk)
                yield chunk

    def _piece(self, slot: Slot, budget: int, before: Sequence[Chunk]) -> Chunk | None:
        """A piece of a prompt; None where its owner left, or one before it in this batch begins alike."""
        request = slot.request
        if request is None or request.cancelled.is_set():
            return None
        sequence = request.sequence
        if _is_seeded(slot):  # always the same pieces: others would round otherwise
            slot.pending = sequence[len(slot.past) :]
            return next_piece(slot, self._chunk_size) if self._chunk_size <= budget or not before else None
        self._places.reuse(slot, sequence[:-1])  # another may have computed its beginning by now
        slot.pending = sequence[len(slot.past) :]
        alike = (common_prefix([*other.slot.past, *other.tokens], sequence) for other in before)
        if not self.limits.is_partitioned and max(alike, default=0) >= len(slot.past) + MIN_REUSE:
            return None
        return next_piece(slot, budget)

    def _prefill(self, chunks: Sequence[Chunk]) -> None:
        """Compute pieces of prompts, and what goes with them."""
        began = time.perf_counter()
        for chunk in chunks:
            chunk.slot.count_prompt(len(chunk.tokens))
        self._compute(chunks)
        tokens = sum(len(chunk.tokens) for chunk in chunks if not chunk.slot.is_decoding or len(chunk.tokens) > 1)
        self._pace.note_prompt(tokens, self._computed - began)
        self.prefilled_tokens += tokens

    def _make_room(self) -> None:
        """Have the next step find room in a context that all share: what nobody needs goes, then who came last."""
        if self.limits.is_partitioned:
            return
        running, idle = self._places.running(), self._places.free()
        for slot in idle:
            if sum(slot.held for slot in self._slots) <= self.limits.total:
                return
            self._places.evict(slot)
        while sum(slot.held for slot in running) > self.limits.total:
            self._give_up(running.pop())

    def _give_up(self, slot: Slot) -> None:
        """Take the memory of a request, which goes on once there is some: what it drew is kept."""
        request, sampler = slot.request, slot.sampler
        assert request is not None
        assert sampler is not None
        request.drawn = [*slot.past, *slot.pending][len(request.prompt) :]
        slot.request, slot.sampler, slot.draft, slot.pending = None, None, None, []
        sampler.close()
        self._places.evict(slot)
        self._suspend(request)

    def _compute(self, chunks: Sequence[Chunk]) -> int:
        """Decode one batch; its rows. Where llama.cpp cannot, each is tried alone: one is given up, others go on."""
        if chunks[0].seen is not None:
            status, row = decode(self._context, chunks[0])
            rows, last, padding = len(chunks[0].tokens), [row], None
        else:
            last, padding = self._batch.fill(chunks), self._pad(chunks)
            rows, status = self._batch.rows, self.api.llama_decode(self._context.pointer, self._batch.pointer)
        self._computed = time.perf_counter()
        if padding is not None:
            self._places.forget_rest(padding)
        if status == 0:
            for chunk, row in zip(chunks, last, strict=True):
                self._advance(chunk, row)
        elif any(chunk.drafted for chunk in chunks):
            self._compute([Chunk(chunk.slot, chunk.slot.pending) for chunk in chunks])
        elif len(chunks) > 1:
            for single in chunks:
                self._compute([single])
        else:
            self._fail(chunks[0].slot, status)
        return rows

    def _pad(self, chunks: Sequence[Chunk]) -> Slot | None:
        """Put a token of a neighbour, to be forgotten again, into a batch that is better with it; that neighbour.

        llama.cpp computes one token with other kernels than two or eight, which round otherwise: a seeded one is never
        alone, so its text is the same in whatever company. And three rows may take longer than four.
        """
        rows, slot, tokens = self._batch.rows, chunks[0].slot, chunks[0].tokens
        is_alone = rows == 1 and _is_seeded(slot)
        is_odd = all(chunk.slot.is_decoding for chunk in chunks) and self._pace.is_padded(rows)
        if not (self.limits.is_partitioned and (is_alone or is_odd)) or any(chunk.drafted for chunk in chunks):
            return None
        edges = {chunk.slot.number + step for chunk in chunks for step in (-1, 1)}
        taken = [chunk.slot for chunk in chunks]
        decoding = self._places.decoding()
        near = [s for s in self._slots if s.number in edges and s not in taken and s not in decoding]
        if is_odd:  # not worth what somebody may come back to
            near = [s for s in near if self._context.can_rewind or not s.past]
        if not near:
            return None
        padding = near[0]
        if len(padding.past) >= self.window:
            self._places.evict(padding)
        self._batch.add(tokens[0], self._context.place(padding.past), padding.number)
        return padding

    def _advance(self, chunk: Chunk, row: int) -> None:
        """Note what was computed of a chat, and draw what comes next, if it comes next."""
        slot, tokens, drafted, _ = chunk
        known = len(tokens) - drafted
        is_last = chunk.is_last
        slot.past += tokens[:known]
        slot.pending = slot.pending[known:]
        if is_last:
            self._sample(slot, row, tokens[known:])

    def _sample(self, slot: Slot, row: int, guesses: Sequence[int]) -> None:
        """Draw what comes next, and forget what was computed of guesses that were wrong."""
        error = None
        try:
            slot.pending = self._draw(slot, row, guesses)
        except ModelError as raised:  # its grammar grew too large
            error = raised
        if guesses:
            self._places.forget_rest(slot)
        if not slot.pending:
            self._release(slot, error)

    def _draw(self, slot: Slot, row: int, guesses: Sequence[int]) -> list[int]:
        """Draw a token, and as long as a guess was right the one after it; the last, unless the reply ended with it."""
        assert slot.sampler is not None
        assert slot.request is not None
        for at, guess in enumerate([*guesses, None]):
            # 5. Sample from the logits of the chat's row of the batch.
            token = slot.sampler.sample(self._context.pointer, row + at)
            if slot.draft is not None:
                slot.draft.add(token)
            # 6. Hand out: the token is decoded in the next step, unless it was the last.
            if not self._accept(slot.request, token):
                break
            if token != guess:
                return [token]
            slot.past.append(token)
        return []

    def _abort(self, request: Request, error: ModelError) -> None:
        slot = next(slot for slot in self._places.running() if slot.request is request)
        self._places.truncate(slot, 0)
        self._release(slot, error)

    def _fail(self, slot: Slot, status: int) -> None:
        cause = "its context has no room left" if status == NO_ROOM else f"llama_decode failed with status {status}"
        self._places.truncate(slot, 0)
        self._release(slot, ModelAPIError(f"llamacpp: {cause}; the request was given up."))

    def _release(self, slot: Slot, error: ModelError | None = None) -> None:
        """End the request; what was computed for it stays until somebody needs the slot."""
        request, sampler = slot.request, slot.sampler
        slot.request = slot.sampler = slot.draft = None
        slot.pending, slot.ended = [], time.monotonic()
        if sampler is not None:
            sampler.close()
        if request is not None:
            self._finish(request, error)


def _is_seeded(slot: Slot) -> bool:
    return slot.request is not None and slot.request.sampling.seed is not None
