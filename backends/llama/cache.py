"""Conversations put aside: what a model computed for their tokens, copied out of its context and back. Least used goes.

A context that holds only what runs is faster: each token looks at all of it. Knows tokens; nothing of requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.llama.context import Context
from backends.local.prefix import shared


@dataclass(frozen=True, eq=False)
class Kept:
    """The state of a sequence after these tokens."""

    tokens: tuple[int, ...]
    state: Any

    @property
    def bytes(self) -> int:
        """What it takes."""
        return len(self.state)


class Cache:
    """At most `limit` bytes of states of sequences of one context."""

    def __init__(self, context: Context, limit: int) -> None:
        self._context, self.limit = context, limit
        self._kept: list[Kept] = []  # the least used first

    @property
    def bytes(self) -> int:
        """What all take."""
        return sum(kept.bytes for kept in self._kept)

    def keep(self, sequence: int, tokens: Sequence[int]) -> None:
        """Copy a sequence's state; what it begins like and is longer needs no copy of its own."""
        if any(shared(kept.tokens, tokens) == len(tokens) for kept in self._kept):
            return
        if self._context.size(sequence) > self.limit:
            return
        state = self._context.state(sequence)
        self._kept = [kept for kept in self._kept if shared(kept.tokens, tokens) < len(kept.tokens)]
        self._kept.append(Kept(tuple(tokens), state))
        while self.bytes > self.limit:
            self._kept.pop(0)

    def best(self, prompt: Sequence[int]) -> tuple[int, Kept | None]:
        """How many tokens of a prompt the fittest one begins with."""
        fits = [(shared(kept.tokens, prompt), kept) for kept in self._kept]
        return max(fits, key=lambda fit: fit[0], default=(0, None))

    def restore(self, kept: Kept, sequence: int) -> bool:
        """Copy it into an empty sequence; False where the context has no room. It becomes the last used."""
        self._kept.remove(kept)
        self._kept.append(kept)
        return self._context.put(kept.state, sequence)
