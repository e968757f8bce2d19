"""llama.cpp's batches: tokens of several sequences, or one picture's, computed in one go. Knows places and rows."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import llama_library
from backends.llama.context import BATCH
from backends.llama.slot import Slot
from backends.local.picture import PlacedView


class Chunk(NamedTuple):
    """A slot and which of its tokens a batch computes; the last `drafted` of them are guesses.

    `seen`: of what they all are tokens, where they stand for a picture.
    """

    slot: Slot
    tokens: list[int]
    drafted: int = 0
    seen: PlacedView | None = None

    @property
    def is_last(self) -> bool:
        """Whether the next token of the chat can be drawn after it."""
        return len(self.tokens) - self.drafted == len(self.slot.pending)


class Batch:
    """A batch of tokens, filled anew for each step."""

    def __init__(self, api: Any, place: Callable[[Sequence[int]], int]) -> None:
        """`place`: where what comes after some tokens stands."""
        self._api, self._place, self.pointer = api, place, api.llama_batch_init(BATCH, 0, 1)

    @property
    def rows(self) -> int:
        """Tokens that are in it."""
        return int(self.pointer.n_tokens)

    def fill(self, chunks: Sequence[Chunk]) -> list[int]:
        """Put tokens in; for each chunk the row of its last token that is no guess. What is drawn from has logits."""
        self.pointer.n_tokens, rows = 0, []
        for chunk in chunks:
            drawn, start = len(chunk.tokens) - chunk.drafted - 1, self._place(chunk.slot.past)
            rows.append(self.rows + drawn)
            for at, token in enumerate(chunk.tokens):
                self.add(token, start + at, chunk.slot.number, logits=chunk.is_last and at >= drawn)
        return rows

    def add(self, token: int, position: int, sequence: int, *, logits: bool = False) -> None:
        """Put one token in."""
        batch, row = self.pointer, self.rows
        batch.token[row], batch.pos[row], batch.n_seq_id[row] = token, position, 1
        batch.seq_id[row][0], batch.logits[row] = sequence, logits
        batch.n_tokens = row + 1

    def close(self) -> None:
        """Give the memory back; not to be called twice."""
        self._api.llama_batch_free(self.pointer)


class PictureBatch:
    """A batch of what is seen of a picture: numbers in the place of tokens, all of one sequence."""

    def __init__(
        self, embeddings: NDArray[np.float32], places: NDArray[np.int32], sequence: int, *, logits: bool
    ) -> None:
        """A row of `embeddings` for each token, and of `places` for each number of a place; `logits`: of the last."""
        api, length = llama_library.load(), len(embeddings)
        self._held = [np.ascontiguousarray(embeddings), np.ascontiguousarray(places), np.ones(length, np.int32)]
        self._held.append(np.zeros(length, np.int8))
        self._held[-1][-1] = logits
        self._sequence = (api.llama_seq_id * 1)(sequence)
        one = ctypes.cast(self._sequence, ctypes.POINTER(api.llama_seq_id))
        self._sequences = (ctypes.POINTER(api.llama_seq_id) * length)(*[one] * length)
        numbers, positions, counts, outputs = (each.ctypes.data for each in self._held)
        self.pointer = api.llama_batch()
        self.pointer.n_tokens = length
        self.pointer.embd = ctypes.cast(numbers, ctypes.POINTER(ctypes.c_float))
        self.pointer.pos = ctypes.cast(positions, ctypes.POINTER(api.llama_pos))
        self.pointer.n_seq_id = ctypes.cast(counts, ctypes.POINTER(ctypes.c_int32))
        self.pointer.seq_id = ctypes.cast(self._sequences, ctypes.POINTER(ctypes.POINTER(api.llama_seq_id)))
        self.pointer.logits = ctypes.cast(outputs, ctypes.POINTER(ctypes.c_int8))
