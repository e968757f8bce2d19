"""Language modelling and choosing the next utterance at once: TransferTransfo (Wolf et al. 2019, arXiv:1901.08149).

Batches of a prompt with several replies for GPT2DoubleHeadsModel. Knows no files.
"""

import random
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from training.packing import IGNORED, Row


@dataclass
class ChoiceCollator:
    """Rows of choices to tensors: `number` replies each, the true one among them at a drawn place."""

    pad: int
    number: int

    def __call__(self, rows: list[Row]) -> dict[str, torch.Tensor]:
        """input_ids, attention_mask, labels (B, C, L); mc_token_ids (B, C); mc_labels, tokens (B,)."""
        drawn = [self._shuffled_replies(row) for row in rows]
        fewest = min(len(replies) for replies, _ in drawn)
        longest = max(len(row["prompt"]) + len(r) for row, (rs, _) in zip(rows, drawn, strict=True) for r in rs)
        shape = (len(rows), fewest, longest)
        ids, labels = np.full(shape, self.pad), np.full(shape, IGNORED)
        mask, ends = np.zeros(shape, dtype=np.int64), np.zeros(shape[:2], dtype=np.int64)
        places = np.zeros(len(rows), dtype=np.int64)
        for b, (row, (replies, label)) in enumerate(zip(rows, drawn, strict=True)):
            # Fewer replies in one row (a small source) leave fewer in all; the true one stays.
            chosen = [label, *(i for i in range(len(replies)) if i != label)][:fewest]
            chosen.sort()
            places[b] = chosen.index(label)
            for c, which in enumerate(chosen):
                text = row["prompt"] + replies[which]
                ids[b, c, : len(text)], mask[b, c, : len(text)], ends[b, c] = text, 1, len(text) - 1
                if which == label:
                    labels[b, c, len(row["prompt"]) : len(text)] = replies[which]
        arrays = {"input_ids": ids, "attention_mask": mask, "labels": labels, "mc_token_ids": ends, "mc_labels": places}
        tokens = torch.tensor(mask.reshape(len(rows), -1).sum(1))
        return {**{name: torch.from_numpy(array) for name, array in arrays.items()}, "tokens": tokens}

    def _shuffled_replies(self, row: Row) -> tuple[list[list[int]], int]:
        """The replies of a row in a drawn order, and where the true one (the last) went."""
        rng = random.Random(zlib.crc32(np.asarray(row["prompt"] + row["replies"][-1], dtype=np.int32).tobytes()))
        others = rng.sample(row["replies"][:-1], min(self.number - 1, len(row["replies"]) - 1))
        label = rng.randrange(len(others) + 1)
        return [*others[:label], row["replies"][-1], *others[label:]], label


def combine_losses(outputs: Any, language: float, choice: float) -> torch.Tensor:
    """Both losses of GPT2DoubleHeadsModel, weighed."""
    both: torch.Tensor = language * outputs.loss + choice * outputs.mc_loss
    return both
