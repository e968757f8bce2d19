"""Any causal language model of transformers', one chat after the other at each step: for all but GPT-2.

Each chat has transformers' own cache. Knows tensors; nothing of requests.
"""

from collections.abc import Sequence
from typing import Any

from backends.hf.network import Chunk


class SequentialRunner:
    """A model and the key-value caches of at most `rows` chats."""

    keeps_prefix = False  # not every kind of cache can be shortened by as much as another conversation needs

    def __init__(self, model: Any, rows: int) -> None:
        self._model = model
        self._caches: list[Any] = [None] * rows

    def compute(self, chunks: Sequence[Chunk]) -> Any:
        """Logits after the last token of each chunk, [chunks, vocabulary] in fp32 on the CPU."""
        import torch

        return torch.stack([self._compute_chunk(chunk) for chunk in chunks])

    def _compute_chunk(self, chunk: Chunk) -> Any:
        import torch
        from transformers import DynamicCache

        if not chunk.past:
            self._caches[chunk.row] = DynamicCache(config=self._model.config)
        cache = self._caches[chunk.row]
        if cache.get_seq_length() > chunk.past:  # a step that failed is computed again
            cache.crop(chunk.past - cache.get_seq_length())
        tokens = torch.tensor([list(chunk.tokens)], device=self._model.device)
        mask = torch.ones((1, chunk.past + len(chunk.tokens)), dtype=torch.long, device=tokens.device)
        output = self._model(input_ids=tokens, attention_mask=mask, past_key_values=cache, use_cache=True)
        return output.logits[0, -1].float().cpu()
