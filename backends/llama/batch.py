"""llama.cpp's batch: tokens of several sequences, computed in one go. Knows places and rows; nothing of requests."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from backends.llama.context import BATCH
from backends.llama.slot import Slot


class Chunk(NamedTuple):
    """A slot and which of its tokens a batch computes; the last `drafted` of them are guesses."""

    slot: Slot
    tokens: list[int]
    drafted: int = 0

    @property
    def is_last(self) -> bool:
        """Whether the next token of the chat can be drawn after it."""
        return len(self.tokens) - self.drafted == len(self.slot.pending)


class Batch:
    """Memory for one llama_decode. `rows`: tokens in it."""

    def __init__(self, api: Any) -> None:
        self._api, self.pointer = api, api.llama_batch_init(BATCH, 0, 1)

    @property
    def rows(self) -> int:
        """Tokens that are in it."""
        return int(self.pointer.n_tokens)

    def fill(self, chunks: Sequence[Chunk]) -> list[int]:
        """Put tokens in; for each chunk the row of its last token that is no guess. What is drawn from has logits."""
        self.pointer.n_tokens, rows = 0, []
        for chunk in chunks:
            drawn = len(chunk.tokens) - chunk.drafted - 1
            rows.append(self.rows + drawn)
            for at, token in enumerate(chunk.tokens):
                self.add(token, len(chunk.slot.past) + at, chunk.slot.number, logits=chunk.is_last and at >= drawn)
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
