"""Evicted conversations: what a model computed for their tokens, copied out of its context and back; an LRU cache.

A context that holds only what runs is faster: each token looks at all of it. Knows tokens; nothing of requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.llama.context import Context
from backends.local.prefix import common_prefix


@dataclass(frozen=True, eq=False)
class CachedState:
    """The state of a sequence after these tokens."""

    tokens: tuple[int, ...]
    state: Any

    @property
    def bytes(self) -> int:
        """The size of the state."""
        return len(self.state)


class StateCache:
    """At most `limit` bytes of states of sequences of one context."""

    def __init__(self, context: Context, limit: int) -> None:
        self._context, self.limit = context, limit
        self._states: list[CachedState] = []  # the least used first

    @property
    def bytes(self) -> int:
        """The size of all states."""
        return sum(cached.bytes for cached in self._states)

    def store(self, sequence: int, tokens: Sequence[int]) -> None:
        """Copy a sequence's state after these tokens, unless a longer one begins with them; the least used go."""
        if any(common_prefix(cached.tokens, tokens) == len(tokens) for cached in self._states):
            return
        if self._context.size(sequence) > self.limit:
            return
        state = self._context.state(sequence)
        self._states = [old for old in self._states if common_prefix(old.tokens, tokens) < len(old.tokens)]
        self._states.append(CachedState(tuple(tokens), state))
        while self.bytes > self.limit:
            self._states.pop(0)

    def longest_prefix(self, prompt: Sequence[int]) -> tuple[int, CachedState | None]:
        """How many tokens of a prompt the fittest state begins with, and that state; (0, None) where there is none."""
        lengths = [(common_prefix(cached.tokens, prompt), cached) for cached in self._states]
        return max(lengths, key=lambda match: match[0], default=(0, None))

    def restore(self, cached: CachedState, sequence: int) -> bool:
        """Copy a state into an empty sequence; False where the context has no room. It becomes the last used."""
        self._states.remove(cached)
        self._states.append(cached)
        return self._context.restore(cached.state, sequence)
