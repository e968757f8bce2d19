"""Batches for training: packed rows with their branches, and distractors laid beside some of their true replies.

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

MAX_REPLY_TOKENS = 24  # tokens of a reply that is weighed


@dataclass
class Layout:
    """One row as lists of equal length M, a number for each of its tokens.

    `segments`: the dialogue it is of. `branches`: 0 in the row itself, a number of its own in each distractor.
    `anchors`: how far it sees into the row. `origins`: the index that predicts it, -1 for none. `candidates`: the reply
    of a case that it is part of, -1 for none; the true reply of a case comes before its distractors.
    """

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
        # 1. Draw, from the rows alone, whether this batch chooses between replies.
        rng = random.Random(zlib.crc32(np.asarray(rows[0]["input_ids"], dtype=np.int32).tobytes()) + len(rows))
        turns = self.turns if rng.random() < self.share else 0
        # 2. Lay out each row, and beside it the distractors of some of its replies; cases count through the batch.
        layouts, cases = [], 0
        for row in rows:
            layout, added = self._lay_out(row, rng, turns, cases)
            layouts.append(layout)
            cases += added
        # 3. Pad to one length. The row's own tokens are counted: neither padding nor distractors.
        tokens = torch.tensor([len(row["input_ids"]) for row in rows])
        return {**self._tensors(layouts), "tokens": tokens}

    def _lay_out(self, row: Row, rng: random.Random, turns: int, cases: int) -> tuple[Layout, int]:
        """The row's layout with the distractors of up to `turns` replies, numbered from `cases`, and their number."""
        # 2a. The row itself: each dialogue begins at position 0, and nothing predicts its first token.
        layout = self._trunk(row)
        labels, positions = row["labels"], row["position_ids"]
        pool = self.pool.get(row["source"], [])
        if not turns or len(pool) <= 4 * self.distractors:
            return layout, 0
        # 2b. Replies that follow something and are short enough; some of them are drawn.
        spans = [s for s in reply_spans(labels) if positions[s[0]] > 1 and s[1] - s[0] <= MAX_REPLY_TOKENS]
        drawn = sorted(rng.sample(spans, min(turns, len(spans))))
        # 2c. Each gets distractors from other dialogues of its source.
        for case, (start, end) in enumerate(drawn, cases):
            self._add_distractors(layout, start, end, rng.sample(pool, self.distractors), case)
        return layout, len(drawn)

    def _trunk(self, row: Row) -> Layout:
        ids, positions = row["input_ids"], row["position_ids"]
        starts = [position == 0 for position in positions]
        learnt = ids if self.learn == "all" else row["labels"]
        anchors, branches, origins = _own_branches(positions)
        return Layout(
            ids=list(ids),
            positions=list(positions),
            segments=np.cumsum(starts).tolist(),
            anchors=anchors,
            branches=branches,
            origins=origins,
            labels=[IGNORED if first else label for label, first in zip(learnt, starts, strict=True)],
            candidates=[-1] * len(ids),
        )

    def _add_distractors(self, layout: Layout, start: int, end: int, others: list[list[int]], case: int) -> None:
        """Append `others` as branches that leave the row at `start`, where the true reply begins."""
        first = case * (self.distractors + 1)
        layout.candidates[start:end] = [first] * (end - start)
        for number, other in enumerate(others, first + 1):
            if other == layout.ids[start:end] or layout.positions[start] + len(other) > self.window:
                continue
            offset, size = len(layout.ids), len(other)
            layout.ids += other
            layout.positions += [layout.positions[start] + i for i in range(size)]
            layout.segments += [layout.segments[start]] * size
            layout.anchors += [start] * size
            layout.branches += [number] * size
            layout.origins += [start - 1, *range(offset, offset + size - 1)]
            layout.labels += [IGNORED] * size
            layout.candidates += [number] * size

    def _tensors(self, layouts: list[Layout]) -> dict[str, torch.Tensor]:
        # Few different shapes: matrix kernels are made, and kept, for each.
        longest = -(-max(len(layout.ids) for layout in layouts) // 32) * 32

        def stack(name: str, filler: int) -> torch.Tensor:
            rows = [getattr(layout, name) for layout in layouts]
            return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])

        segments, branches, anchors = stack("segments", -1), stack("branches", 0), stack("anchors", longest)
        return {
            "input_ids": stack("ids", self.pad),
            "position_ids": stack("positions", 0),
            "labels": stack("labels", IGNORED),
            "origins": stack("origins", -1),
            "candidates": stack("candidates", -1),
            "attention_mask": visibility(segments, branches, anchors),
        }


def _own_branches(positions: list[int]) -> tuple[list[int], list[int], list[int]]:
    """Anchor, branch and origin of each token of a row.

    Position 0 starts a dialogue. A jump back starts a branch of it, which sees the dialogue before that position and
    itself; its number is below zero, where no distractor's is.
    """
    anchors, branches, origins = list[int](), list[int](), list[int]()
    start, branch, seen = 0, 0, 0
    for i, position in enumerate(positions):
        if position == 0:
            start, branch = i, 0
        elif position != positions[i - 1] + 1:
            branch, seen = min(branch, 0) - 1, start + position
        first = position == 0 or (branch and start + position == seen)
        anchors.append(seen if branch else i + 1)
        branches.append(branch)
        origins.append(-1 if position == 0 else seen - 1 if first else i - 1)
    return anchors, branches, origins


def visibility(segments: torch.Tensor, branches: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """(B, 1, M, M) bool: may a query (row) see a key (column)? Each argument is (B, M)."""
    index = torch.arange(segments.shape[1])
    # 1. Nothing of another dialogue.
    same = segments[:, :, None] == segments[:, None, :]
    # 2. Of the row itself, what stands before the anchor: for a distractor, the prompt of the reply it stands beside.
    trunk = (branches[:, None, :] == 0) & (index[None, None, :] < anchors[:, :, None])
    # 3. Of its own branch, what came before.
    own = (branches[:, :, None] == branches[:, None, :]) & (index[None, :, None] >= index[None, None, :])
    return (same & (trunk | own))[:, None]


def reply_spans(labels: list[int]) -> list[tuple[int, int]]:
    """Ranges of labels that are learnt: the replies of a row."""
    learnt = np.asarray(labels) >= 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], learnt, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def sample_replies(rows: Dataset, size: int = 20_000, seed: int = 1) -> dict[str, list[list[int]]]:
    """Replies of each source, at most `size` of each, from rows drawn with the seed."""
    pools: dict[str, list[list[int]]] = {}
    sources: Any = np.asarray(rows["source"])
    for source in np.unique(sources):
        order = np.random.default_rng(seed).permutation(np.flatnonzero(sources == source))
        replies: list[list[int]] = pools.setdefault(str(source), [])
        for index in order.tolist():
            if len(replies) >= size:
                break
            row = rows[index]
            replies += [row["input_ids"][a:b] for a, b in reply_spans(row["labels"]) if b - a <= MAX_REPLY_TOKENS]
    return pools
