"""Evicted conversations: what a model computed for their tokens, copied out of its context and back; an LRU cache.

A context that holds only what runs is faster: each token looks at all of it. What was there when the model left memory
the last time lies in files, and is read when it is asked for. Knows tokens; nothing of requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.llama.context import Context
from backends.llama.states import SavedState, StateFolder
from backends.local.prefix import common_prefix


@dataclass(frozen=True, eq=False)
class CachedState:
    """The state of a sequence after these tokens: in memory, or in a file.

    `conversation` is the one it was computed for, which `began` then; None where it may be kept in memory alone.
    """

    tokens: tuple[int, ...]
    state: Any
    conversation: str | None = None
    began: float = 0.0

    @property
    def bytes(self) -> int:
        """The size of the state in memory."""
        return 0 if isinstance(self.state, SavedState) else len(self.state)


@dataclass(frozen=True)
class Held:
    """What a sequence of the context holds, and for which conversation; computing it `began` then."""

    number: int
    tokens: Sequence[int]
    conversation: str | None
    began: float


class StateCache:
    """At most `limit` bytes of states of sequences of one context; `folder` has those from before."""

    def __init__(self, context: Context, limit: int, folder: StateFolder | None = None) -> None:
        self._context, self.limit, self._folder = context, limit, folder
        saved = folder.all() if folder else []
        self._states = [CachedState(state.tokens, state) for state in saved]  # the least used first

    @property
    def bytes(self) -> int:
        """The size of all states."""
        return sum(cached.bytes for cached in self._states)

    def store(self, sequence: int, tokens: Sequence[int], conversation: str | None = None, began: float = 0.0) -> None:
        """Copy a sequence's state after these tokens, unless a longer one begins with them; the least used go."""
        if any(common_prefix(cached.tokens, tokens) == len(tokens) for cached in self._states):
            return
        if self._context.size(sequence) > self.limit:
            return
        state = self._context.state(sequence)
        self._states = [old for old in self._states if common_prefix(old.tokens, tokens) < len(old.tokens)]
        self._states.append(CachedState(tuple(tokens), state, conversation, began))
        while self.bytes > self.limit:
            self._states.pop(0)

    def longest_prefix(self, prompt: Sequence[int]) -> tuple[int, CachedState | None]:
        """How many tokens of a prompt the fittest state begins with, and that state; (0, None) where there is none."""
        lengths = [(common_prefix(cached.tokens, prompt), cached) for cached in self._states]
        return max(lengths, key=lambda match: match[0], default=(0, None))

    def restore(self, cached: CachedState, sequence: int) -> bool:
        """Copy a state into an empty sequence; False where the context has no room. It becomes the last used."""
        self._states.remove(cached)
        state = cached.state.load() if isinstance(cached.state, SavedState) else cached.state
        if state is None:  # its file is gone, or was changed
            return False
        self._states.append(cached)
        return self._context.restore(state, sequence)

    def save(self, held: Sequence[Held]) -> None:
        """Write all that belongs to conversations into files; `held`: what the context still has, the least used first.

        Of a conversation its last used state alone is written, and no more than `limit` bytes of all.
        """
        if self._folder is None:
            return
        left, saved = self.limit, set[str]()
        found: list[Held | CachedState] = [*reversed(held), *reversed(self._states)]
        for each in found:
            if each.conversation is None or each.conversation in saved:
                continue
            state = self._context.state(each.number) if isinstance(each, Held) else each.state
            if len(state) <= left and self._folder.save(each.conversation, each.tokens, state, each.began):
                saved.add(each.conversation)
                left -= len(state)
