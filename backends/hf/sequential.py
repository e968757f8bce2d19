"""Any causal language model of transformers', one chat after the other at each step: the way of all but GPT-2.

Each chat has transformers' own cache. Knows tensors; nothing of requests.
"""

from collections.abc import Sequence
from typing import Any

from backends.hf.network import Piece


class Turns:
    """A model and the caches of at most `rows` chats."""

    keeps = False  # not every kind of cache can be shortened by as much as another conversation needs

    def __init__(self, model: Any, rows: int) -> None:
        self._model = model
        self._kept: list[Any] = [None] * rows

    def compute(self, pieces: Sequence[Piece]) -> Any:
        """Logits after the last token of each piece, [pieces, vocabulary] in fp32 on the CPU."""
        import torch

        return torch.stack([self._one(piece) for piece in pieces])

    def _one(self, piece: Piece) -> Any:
        import torch
        from transformers import DynamicCache

        if not piece.past:
            self._kept[piece.row] = DynamicCache(config=self._model.config)
        cache = self._kept[piece.row]
        if cache.get_seq_length() > piece.past:  # a step that failed is computed again
            cache.crop(piece.past - cache.get_seq_length())
        tokens = torch.tensor([list(piece.tokens)], device=self._model.device)
        given = torch.ones((1, piece.past + len(piece.tokens)), dtype=torch.long, device=tokens.device)
        found = self._model(input_ids=tokens, attention_mask=given, past_key_values=cache, use_cache=True)
        return found.logits[0, -1].float().cpu()
