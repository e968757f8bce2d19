"""Evicted conversations: what a model computed for their tokens, copied out of its context and back; an LRU cache.

A context that holds only what runs is faster: each token looks at all of it. What belongs to a conversation goes into
its file as well, and comes back from there for that conversation alone. Knows tokens; nothing of requests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from backends.llama.archive import StateArchive
from backends.llama.context import Context
from backends.llama.states import SavedState
from backends.local.prefix import common_prefix


@dataclass(frozen=True, eq=False)
class CachedState:
    """The state of a sequence after these tokens, in memory."""

    tokens: tuple[int, ...]
    state: Any

    @property
    def bytes(self) -> int:
        """The size of the state."""
        return len(self.state)


class StateCache:
    """At most `limit` bytes of states of sequences of one context; `archive` has those of conversations in files."""

    def __init__(self, context: Context, limit: int, archive: StateArchive | None = None) -> None:
        self._context, self.limit, self._archive = context, limit, archive
        self._states: list[CachedState] = []  # the least used first

    @property
    def bytes(self) -> int:
        """The size of all states."""
        return sum(cached.bytes for cached in self._states)

    def store(self, sequence: int, tokens: Sequence[int], conversation: str | None = None, began: float = 0.0) -> None:
        """Copy a sequence's state after these tokens, unless a longer one begins with them; the least used go.

        `conversation`: whose file it goes into as well, computing it `began` then; None where it stays in memory.
        """
        if any(common_prefix(cached.tokens, tokens) == len(tokens) for cached in self._states):
            return
        if self._context.size(sequence) > self.limit:
            return
        state = self._context.state(sequence)
        self._states = [old for old in self._states if common_prefix(old.tokens, tokens) < len(old.tokens)]
        self._states.append(CachedState(tuple(tokens), state))
        while self.bytes > self.limit:
            self._states.pop(0)
        if self._archive and conversation is not None:
            self._archive.put(conversation, tokens, began, len(state), lambda: state)

    def longest_prefix(
        self, prompt: Sequence[int], conversation: str | None = None
    ) -> tuple[int, CachedState | SavedState | None]:
        """How many tokens of a prompt the fittest state begins with, and that state; (0, None) where there is none.

        `conversation`: the one whose file is looked at as well.
        """
        found: list[CachedState | SavedState] = list(self._states)
        if self._archive and conversation is not None and (saved := self._archive.find(conversation)):
            found.append(saved)
        lengths = [(common_prefix(each.tokens, prompt), each) for each in found]
        return max(lengths, key=lambda match: match[0], default=(0, None))

    def restore(self, found: CachedState | SavedState, sequence: int) -> bool:
        """Copy a state into an empty sequence; False where the context has no room. It becomes the last used."""
        if isinstance(found, SavedState):
            state = found.load()  # None: its file is gone, or was changed
            return state is not None and self._context.restore(state, sequence)
        self._states.remove(found)
        self._states.append(found)
        return self._context.restore(found.state, sequence)

    def is_own(self, conversation: str) -> bool:
        """Whether the file of a conversation holds no more than was computed here."""
        return self._archive is None or self._archive.is_own(conversation)

    def is_archived(self, tokens: Sequence[int], conversation: str | None, began: float) -> bool:
        """Whether there is nothing of a sequence that should go into a file."""
        return self._archive is None or conversation is None or self._archive.holds(conversation, tokens, began)

    def archive(self, sequence: int, tokens: Sequence[int], conversation: str | None, began: float) -> bool:
        """Have the state of a sequence written into its conversation's file; False where that may be tried later."""
        if self._archive is None or conversation is None:
            return True
        size, copy = self._context.size(sequence), partial(self._context.state, sequence)
        return self._archive.put(conversation, tokens, began, size, copy)

    def close(self) -> None:
        """Write what waits for it."""
        if self._archive:
            self._archive.close()
