"""Batches for training: packed rows, and distractors laid beside some of their true replies.

A distractor is a branch of its row: it sees what the true reply sees and itself, nothing sees it. So a prompt is
computed once for all the replies that are weighed after it. Knows no model.
"""

import random
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from datasets import Dataset

from training.packing import IGNORED, Row

LONGEST = 24  # tokens of a reply that is weighed


@dataclass
class Laid:
    """One row as arrays of equal length M; `origin` is the index that predicts a token, -1 for none."""

    ids: list[int]
    positions: list[int]
    segments: list[int]
    anchors: list[int]
    branches: list[int]
    origins: list[int]
    labels: list[int]
    candidates: list[int]


@dataclass
class Collator:
    """Rows to tensors.

    `learn`: "assistant" (labels as prepared) or "all". In a `share` of the batches `turns` replies a row get
    `distractors` from `pool` each.
    Every draw depends on the rows of the batch alone, so a resumed run draws what the first would have drawn.
    """

    pad: int
    learn: str = "assistant"
    turns: int = 0
    share: float = 1.0
    distractors: int = 4
    pool: dict[str, list[list[int]]] = field(default_factory=dict)
    window: int = 1 << 30  # positions of the model

    def __call__(self, rows: list[Row]) -> dict[str, torch.Tensor]:
        """input_ids, position_ids, labels, origins, candidates (B, M); attention_mask (B, 1, M, M); tokens (B,)."""
        rng = random.Random(zlib.crc32(np.asarray(rows[0]["input_ids"], dtype=np.int32).tobytes()) + len(rows))
        turns = self.turns if rng.random() < self.share else 0
        laid, cases = [], 0
        for row in rows:
            one, new = self._lay(row, rng, turns, cases)
            laid.append(one)
            cases += new
        tokens = torch.tensor([len(row["input_ids"]) for row in rows])
        return {**self._tensors(laid), "tokens": tokens}

    def _lay(self, row: Row, rng: random.Random, turns: int, cases: int) -> tuple[Laid, int]:
        ids, positions, labels = row["input_ids"], row["position_ids"], row["labels"]
        starts = [p == 0 for p in positions]
        learnt = list(ids) if self.learn == "all" else labels
        one = Laid(
            ids=list(ids), positions=list(positions), segments=np.cumsum(starts).tolist(),
            anchors=list(range(1, len(ids) + 1)), branches=[0] * len(ids),
            origins=[-1 if first else i - 1 for i, first in enumerate(starts)],
            labels=[IGNORED if first else label for label, first in zip(learnt, starts, strict=True)],
            candidates=[-1] * len(ids),
        )  # fmt: skip
        pool, found = self.pool.get(row["source"], []), 0
        if turns and len(pool) > 4 * self.distractors:
            spans = [s for s in runs(labels) if positions[s[0]] > 1 and s[1] - s[0] <= LONGEST]
            for start, end in sorted(rng.sample(spans, min(turns, len(spans)))):
                self._case(one, start, end, rng.sample(pool, self.distractors), cases + found)
                found += 1
        return one, found

    def _case(self, one: Laid, start: int, end: int, others: list[list[int]], case: int) -> None:
        first = case * (self.distractors + 1)
        one.candidates[start:end] = [first] * (end - start)
        for number, other in enumerate(others, 1):
            if other == one.ids[start:end] or one.positions[start] + len(other) > self.window:
                continue
            here, size = len(one.ids), len(other)
            one.ids += other
            one.positions += [one.positions[start] + i for i in range(size)]
            one.segments += [one.segments[start]] * size
            one.anchors += [start] * size
            one.branches += [first + number] * size
            one.origins += [start - 1, *range(here, here + size - 1)]
            one.labels += [IGNORED] * size
            one.candidates += [first + number] * size

    def _tensors(self, laid: list[Laid]) -> dict[str, torch.Tensor]:
        # Few different shapes: matrix kernels are made, and kept, for each.
        longest = -(-max(len(one.ids) for one in laid) // 32) * 32

        def stack(name: str, filler: int) -> torch.Tensor:
            rows = [getattr(one, name) for one in laid]
            return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])

        segments, branches, anchors = stack("segments", -1), stack("branches", 0), stack("anchors", longest)
        return {
            "input_ids": stack("ids", self.pad), "position_ids": stack("positions", 0),
            "labels": stack("labels", IGNORED), "origins": stack("origins", -1),
            "candidates": stack("candidates", -1), "attention_mask": visible(segments, branches, anchors),
        }  # fmt: skip


def visible(segments: torch.Tensor, branches: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """(B, 1, M, M) bool: may a query (row) see a key (column)? Each argument is (B, M)."""
    index = torch.arange(segments.shape[1])
    same = segments[:, :, None] == segments[:, None, :]
    trunk = (branches[:, None, :] == 0) & (index[None, None, :] < anchors[:, :, None])
    own = (branches[:, :, None] == branches[:, None, :]) & (index[None, :, None] >= index[None, None, :])
    return (same & (trunk | own))[:, None]


def runs(labels: list[int]) -> list[tuple[int, int]]:
    """Ranges of labels that are learnt: the replies of a row."""
    learnt = np.asarray(labels) >= 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], learnt, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def pool(rows: Dataset, size: int = 20_000, seed: int = 1) -> dict[str, list[list[int]]]:
    """Replies of each source, at most `size` of each, from rows drawn with the seed."""
    found: dict[str, list[list[int]]] = {}
    sources: Any = np.asarray(rows["source"])
    for source in np.unique(sources):
        order = np.random.default_rng(seed).permutation(np.flatnonzero(sources == source))
        replies: list[list[int]] = found.setdefault(str(source), [])
        for index in order.tolist():
            if len(replies) >= size:
                break
            row = rows[index]
            replies += [row["input_ids"][a:b] for a, b in runs(row["labels"]) if b - a <= LONGEST]
    return found
