"""The sequences of a context, as places for chats: who gets which, what of it is used again, what is put aside.

A place for a request (`prepare`): 1. choose it, 2. forget what it holds of another conversation, 3. reuse what anybody
computed of this prompt. Knows tokens and sequences; nothing of how the next token is computed or drawn.
"""

import time
from collections.abc import Sequence

from backends.llama.cache import StateCache
from backends.llama.context import Context, Limits
from backends.llama.slot import Slot
from backends.local.engine import Request
from backends.local.prefix import common_prefix, continued_prefix

MIN_REUSE = 8  # tokens: to copy fewer than these takes as long as to compute them
PAUSE = 2.0  # seconds that nobody goes on with a conversation, until it is put into a file


class Places:
    """The slots of a context, and the cache of what had to leave them."""

    def __init__(self, context: Context, cache: StateCache, limits: Limits) -> None:
        self._context, self._cache, self._limits = context, cache, limits
        self.slots = [Slot(number) for number in range(limits.parallel)]

    def running(self) -> list[Slot]:
        """Those with a request, by what came first."""
        return sorted((slot for slot in self.slots if slot.request is not None), key=lambda slot: slot.last_used)

    def free(self) -> list[Slot]:
        """Those without, the least used first."""
        return sorted((slot for slot in self.slots if slot.request is None), key=lambda slot: slot.last_used)

    def decoding(self) -> list[Slot]:
        """Those whose next step computes the token that was drawn last, by their number."""
        return sorted((slot for slot in self.slots if slot.is_decoding), key=lambda slot: slot.number)

    def prepare(self, free: Sequence[Slot], request: Request) -> Slot:
        """The slot for a request, holding as much of its prompt as can be."""
        prompt = request.sequence[:-1]  # the last token is computed for its logits
        # 1. Choose: whose conversation goes on, else an empty slot, else the least used one.
        chosen = max(free, key=lambda slot: (continued_prefix(slot.past, prompt), not slot.past, -slot.last_used))
        # 2. Forget: the rest of a conversation goes to the cache first.
        for slot in free:
            if slot is not chosen and not self._limits.is_partitioned:  # there each token looks at all that is kept
                self.evict(slot)
        common = common_prefix(chosen.past, prompt)
        if common < len(chosen.past):
            self._cache.store(chosen.number, chosen.past, chosen.conversation, chosen.began)
        # 3. Reuse. A beginning computed in other batches rounds otherwise: with a seed all of it is computed anew.
        filed = None if self._goes_on(chosen, common, request.conversation) else request.conversation
        self.truncate(chosen, 0 if request.sampling.seed is not None else common)
        if request.sampling.seed is None:
            self.reuse(chosen, prompt, filed)
        return chosen

    def _goes_on(self, slot: Slot, common: int, conversation: str | None) -> bool:
        """Whether all that was computed of a conversation stands in the slot, so that its file has no more."""
        is_whole = slot.conversation == conversation and 0 < common == len(slot.past)
        return is_whole and conversation is not None and self._cache.is_own(conversation)

    def reuse(self, slot: Slot, prompt: Sequence[int], conversation: str | None = None) -> None:
        """Copy a longer beginning of a prompt from another slot, from the cache, or from a conversation's file."""
        others = ((common_prefix(s.past, prompt), -len(s.past), s.number) for s in self.slots if s is not slot)
        common, _, number = max(others, default=(0, 0, 0))
        length, cached = self._cache.longest_prefix(prompt, conversation)
        if max(common, length) < len(slot.past) + MIN_REUSE:
            return
        self.truncate(slot, 0)
        if common >= length:
            slot.past = list(prompt[: self._context.copy(number, slot.number, prompt, common)])
        elif cached is not None:
            slot.past = list(cached.tokens) if self._cache.restore(cached, slot.number) else []
            self.truncate(slot, min(length, len(slot.past)))

    def evict(self, slot: Slot) -> None:
        """Move what a slot holds to the cache."""
        if slot.past:
            self._cache.store(slot.number, slot.past, slot.conversation, slot.began)
            self.truncate(slot, 0)

    def truncate(self, slot: Slot, length: int) -> None:
        """Forget what was computed after the first `length` tokens."""
        if length < len(slot.past) or not length:
            del slot.past[self._context.truncate(slot.number, slot.past, length) :]

    def forget_rest(self, slot: Slot) -> None:
        """Forget what was computed beside the tokens that count."""
        del slot.past[self._context.truncate(slot.number, slot.past, len(slot.past)) :]

    def compact(self) -> list[Slot]:
        """Move those that decode to the first parts of the context: neighbours are computed in one go.

        Those that could not be moved, and hold nothing any more.
        """
        decoding, failed = self.decoding(), []
        last = [slot for slot in decoding if slot.number >= len(decoding)]
        gaps = [slot for slot in self.slots if slot.number < len(decoding) and slot not in decoding]
        for slot, gap in zip(last, gaps, strict=True):
            if self._limits.is_partitioned and not self._context.swap(slot.number, gap.number):
                slot.past, gap.past = [], []
                failed.append(slot)
            elif self._limits.is_partitioned:
                slot.number, gap.number = gap.number, slot.number
        return failed

    # Files

    def due(self) -> float | None:
        """Seconds until a conversation that nobody goes on with is put into its file; None where there is none."""
        times = [slot.ended for slot in self.free() if not self._is_archived(slot)]
        return max(0.0, min(times) + PAUSE - time.monotonic()) if times else None

    def tidy(self) -> None:
        """Put one conversation that nobody went on with into its file; it stays where it is, too."""
        now = time.monotonic()
        for slot in self.free():
            if slot.ended + PAUSE <= now and not self._is_archived(slot):
                if not self._archive(slot):
                    slot.ended = now  # after another pause
                return

    def close(self) -> None:
        """Put every conversation into its file."""
        for slot in [*self.free(), *self.running()]:
            if slot.past:
                self._archive(slot)
        self._cache.close()

    def _is_archived(self, slot: Slot) -> bool:
        return not slot.past or self._cache.is_archived(slot.past, slot.conversation, slot.began)

    def _archive(self, slot: Slot) -> bool:
        return self._cache.archive(slot.number, slot.past, slot.conversation, slot.began)
