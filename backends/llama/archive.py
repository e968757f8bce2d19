"""Conversations put aside, on their way into files: one thread writes, so that no chat waits for a disk.

Of a conversation the state that was computed last is written, once; what came meanwhile replaces what still waits.
Whatever waits when the archive closes is written then. Knows states as bytes; no context, no request.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backends.llama.states import SavedState, StateFolder

KNOWN = 1000  # conversations that are remembered: more than can have places in a context


@dataclass(frozen=True)
class Unwritten:
    """A state that waits for its file; computing it `began` then (seconds of the epoch)."""

    conversation: str
    tokens: tuple[int, ...]
    state: Any
    began: float


@dataclass
class Newest:
    """What was taken last of a conversation, `began` then; `stamp` is that of the file that was written last."""

    began: float
    length: int
    number: int  # the hash of its tokens
    stamp: int | None

    def covers(self, tokens: Sequence[int], began: float) -> bool:
        """Whether it is these tokens, or newer than they are."""
        if began < self.began:
            return True
        return len(tokens) == self.length and (began == self.began or hash(tuple(tokens)) == self.number)


class StateArchive:
    """The files of one model's conversations, at most `limit` bytes waiting to be written."""

    def __init__(self, folder: StateFolder, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._waiting: dict[str, Unwritten] = {}
        self._known: dict[str, Newest] = {}  # what was taken longest ago first
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def holds(self, conversation: str, tokens: Sequence[int], began: float) -> bool:
        """Whether this state is written, waits to be or never will be, or a newer one of its conversation."""
        known = self._known.get(conversation)
        return known is not None and known.covers(tokens, began)

    def put(self, conversation: str, tokens: Sequence[int], began: float, size: int, copy: Callable[[], Any]) -> bool:
        """Have a state of so many bytes written soon, unless it is held; only then it is copied.

        False where the disk does not keep up: it may be put again later.
        """
        with self._changed:
            if self.holds(conversation, tokens, began):
                return True
            others = sum(len(each.state) for key, each in self._waiting.items() if key != conversation)
            if size <= self._limit < others + size:
                return False
            ids = tuple(tokens)
            self._remember(conversation, Newest(began, len(ids), hash(ids), None))
            if size <= self._limit:
                self._waiting[conversation] = Unwritten(conversation, ids, copy(), began)
                self._start_writing()
        return True

    def _remember(self, conversation: str, newest: Newest) -> None:
        before = self._known.pop(conversation, None)
        newest.stamp = before.stamp if before else None
        self._known[conversation] = newest
        if len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]

    def _start_writing(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="states", daemon=True)
            self._thread.start()
        self._changed.notify()

    def is_own(self, conversation: str) -> bool:
        """Whether there is no more in the file of a conversation than was written here."""
        known, stamp = self._known.get(conversation), self._folder.stamp(conversation)
        return stamp is None or (known is not None and known.stamp == stamp)

    def find(self, conversation: str) -> SavedState | None:
        """The state of a conversation in its file; None where there is none that can be read."""
        return self._folder.find(conversation)

    def close(self) -> None:
        """Write what still waits, and end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (each := self._next()) is not None:
            stamp = self._folder.save(each.conversation, each.tokens, each.state, each.began)
            with self._changed:
                if stamp is not None and (known := self._known.get(each.conversation)):
                    known.stamp = stamp

    def _next(self) -> Unwritten | None:
        """What has waited longest, once there is something; None after the end."""
        with self._changed:
            while not (self._waiting or self._is_closed):
                self._changed.wait()
            return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None
