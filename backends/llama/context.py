"""The memory of a model: what it computed for each sequence of tokens; kept, copied, moved and forgotten.

A context in parts gives every sequence its own: each looks at its own tokens only, which is faster, and costs a whole
window for each. Otherwise all share one. Knows sequences by their number; nothing of requests.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.exceptions import ModelAPIError

from backends.llama.model import Model
from backends.local.picture import moves_on

BATCH = 512  # tokens of one llama_decode
PREFILL_BUDGET = 32 * 10**9  # parameters times tokens of a chunk: it delays the other chats by a fraction of a second
SAMPLE = (300, 17, 523, 1009)  # any tokens, to see how they are computed
COMPARED = 3 * 10**9  # parameters of a model for which that takes no time
LONGEST = 8192  # tokens of a window, and of all chats together, that nobody asked for


@dataclass(frozen=True)
class Limits:
    """Tokens of one chat (`window`), chats computed together, tokens of all of them, and computing threads."""

    window: int
    parallel: int
    total: int
    threads: int

    @property
    def is_partitioned(self) -> bool:
        """Whether the context has a part with a whole window for every chat."""
        return self.window * self.parallel <= self.total


def chunk_size(parameters: int) -> int:
    """Tokens of a prompt that a model of so many parameters computes between two steps of the other chats."""
    return max(16, min(BATCH // 2, PREFILL_BUDGET // max(1, parameters)))


class Context:
    """The context of a loaded model. `pointer` is llama.cpp's own.

    `can_rewind`: it can forget its last tokens alone. `rounds_alike`: a token alone is computed as one beside others.
    `has_sides`: the tokens of a picture stand beside and below each other, so that it has fewer places than tokens.
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        """Raises ModelAPIError where memory does not suffice."""
        self._api, self._is_partitioned = model.api, limits.is_partitioned
        params = self._api.llama_context_default_params()
        params.n_ctx = limits.window * limits.parallel if limits.is_partitioned else limits.total
        params.n_seq_max, params.kv_unified = limits.parallel, not limits.is_partitioned
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = limits.threads
        self.pointer = self._api.llama_init_from_model(model.pointer, params)
        if not self.pointer:
            raise ModelAPIError(
                f"llamacpp: no memory for {params.n_ctx} tokens; lower LLAMACPP_KV_TOKENS or LLAMACPP_N_CTX."
            )
        model.adapt(self.pointer)
        self.memory = self._api.llama_get_memory(self.pointer)
        self.can_rewind = model.can_rewind
        self.has_sides = False
        self.rounds_alike = model.parameters <= COMPARED and self._compare_rows(model.vocabulary_size)

    def _compare_rows(self, vocabulary: int) -> bool:
        """Whether tokens have the same logits, to the last bit, computed alone and together. Leaves nothing behind."""
        tokens = [token % vocabulary for token in SAMPLE]
        together = self._logits(tokens, 0, vocabulary)
        self._api.llama_memory_clear(self.memory, True)
        alone = [row for at, token in enumerate(tokens) for row in self._logits([token], at, vocabulary)]
        self._api.llama_memory_clear(self.memory, True)
        return bool(together) and together == alone

    def _logits(self, tokens: Sequence[int], position: int, vocabulary: int) -> list[bytes]:
        """The logits after each of some tokens of the first sequence; none where llama.cpp computes none."""
        batch = self._api.llama_batch_init(len(tokens), 0, 1)
        for row, token in enumerate(tokens):
            batch.token[row], batch.pos[row], batch.n_seq_id[row] = token, position + row, 1
            batch.seq_id[row][0], batch.logits[row] = 0, True
        batch.n_tokens = len(tokens)
        status = self._api.llama_decode(self.pointer, batch)
        self._api.llama_batch_free(batch)
        rows = [] if status else [self._api.llama_get_logits_ith(self.pointer, row) for row in range(len(tokens))]
        return [ctypes.string_at(row, 4 * vocabulary) for row in rows]

    def decode_picture(self, batch: Any, *, is_causal: bool) -> int:
        """Compute what is seen of a picture; llama.cpp's status. `is_causal`: each token looks back alone."""
        self._api.llama_set_causal_attn(self.pointer, is_causal)
        status = int(self._api.llama_decode(self.pointer, batch.pointer))
        self._api.llama_set_causal_attn(self.pointer, True)
        return status

    def size(self, sequence: int) -> int:
        """The size of a sequence's state in bytes."""
        return int(self._api.llama_state_seq_get_size(self.pointer, sequence))

    def state(self, sequence: int) -> Any:
        """A copy of what was computed for a sequence. Raises ModelAPIError where llama.cpp cannot copy it."""
        size = self.size(sequence)
        state = (ctypes.c_uint8 * size)()
        if self._api.llama_state_seq_get_data(self.pointer, state, size, sequence) != size:
            raise ModelAPIError(f"llamacpp: {size} bytes of a conversation cannot be copied.")
        return state

    def restore(self, state: Any, sequence: int) -> bool:
        """Copy a state into an empty sequence; False where the context has no room for it."""
        buffer = state if not isinstance(state, bytes) else (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        return int(self._api.llama_state_seq_set_data(self.pointer, buffer, len(state), sequence)) > 0

    def place(self, tokens: Sequence[int], length: int | None = None) -> int:
        """Where in the text what comes after the first `length` tokens stands, or after all."""
        if not self.has_sides:
            return len(tokens) if length is None else length
        return sum(map(moves_on, tokens[:length]))

    def truncate(self, sequence: int, tokens: Sequence[int], length: int) -> int:
        """Forget what was computed after the first `length` of a sequence's tokens; how many are left.

        Some models only forget all: one with a sliding window, or with a single state, no longer has the beginning of
        what it goes on from.
        """
        removed = length and self._api.llama_memory_seq_rm(self.memory, sequence, self.place(tokens, length), -1)
        if removed and self._api.llama_memory_seq_pos_min(self.memory, sequence) == 0:
            return length
        self._api.llama_memory_seq_rm(self.memory, sequence, -1, -1)
        return 0

    def copy(self, source: int, target: int, tokens: Sequence[int], length: int) -> int:
        """Give an empty sequence the first `length` tokens of another; how many it has then."""
        if not self._is_partitioned:
            self._api.llama_memory_seq_cp(self.memory, source, target, 0, self.place(tokens, length))
            return self.truncate(target, tokens, length)
        # llama_memory_seq_cp would copy the whole part, and only with the next llama_decode.
        return self.truncate(target, tokens, length if self.restore(self.state(source), target) else 0)

    def swap(self, first: int, second: int) -> bool:
        """Exchange what two sequences hold; False where that failed, after which both are empty."""
        states = {second: self._take_state(first), first: self._take_state(second)}
        restored = all(state is None or self.restore(state, sequence) for sequence, state in states.items())
        if not restored:
            self.truncate(first, (), 0)
            self.truncate(second, (), 0)
        return restored

    def _take_state(self, sequence: int) -> Any:
        """The state of a sequence, which is empty afterwards; None where it was before."""
        if self._api.llama_memory_seq_pos_max(self.memory, sequence) < 0:
            return None
        state = self.state(sequence)
        self.truncate(sequence, (), 0)
        return state

    def close(self) -> None:
        """Free the memory; a second call does nothing."""
        if self.pointer:
            self._api.llama_free(self.pointer)
            self.pointer = None
