"""How likely a model finds token ids: a text once, and candidates side by side after the same prompt.

Knows ids and weights; nothing of texts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache

MAX_BATCH_TOKENS = 1024  # tokens of candidates in one run: attention among them grows with the square
UNSCORED = -100


@dataclass(frozen=True)
class Prefill:
    """A run over T ids: keys and values of each layer, (1, heads, T, size) each, and hidden states (T, width)."""

    layers: list[tuple[Tensor, Tensor]]
    hidden: Tensor


@dataclass(frozen=True)
class Scores:
    """Per candidate: the sum of -log p over its tokens, and what the choice head says where there is one."""

    nats: Tensor
    choice: Tensor | None


def prefill(model: Any, ids: Sequence[int]) -> Prefill:
    """Keys, values and hidden states of one run over `ids` (T)."""
    cache = DynamicCache()
    with torch.inference_mode():
        out = model.base_model(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            past_key_values=cache,
            use_cache=True,
        )
    return Prefill([(layer.keys, layer.values) for layer in cache.layers], out.last_hidden_state[0])


def nats(model: Any, hidden: Tensor, ids: Tensor) -> Tensor:
    """-log p of each of (T,) ids, given the hidden state (T, width) before it; 0 where the id is UNSCORED."""
    with torch.inference_mode():
        logits = model.get_output_embeddings()(hidden).float()
        return functional.cross_entropy(logits, ids, ignore_index=UNSCORED, reduction="none")


def score(model: Any, prefix: Prefill, at: int, candidates: Sequence[Sequence[int]], choice: bool = False) -> Scores:
    """Every candidate as what follows the first `at` ids of `prefix`, as if it were the only one."""
    with torch.inference_mode():
        firsts = torch.tensor([c[0] for c in candidates])
        sums = _firsts(model, prefix.hidden[at - 1 : at], firsts)
        groups = [_group(model, prefix, at, group, choice) for group in _groups(candidates)]
    chosen = torch.cat([g.choice for g in groups if g.choice is not None]) if choice else None
    return Scores(sums + torch.cat([g.nats for g in groups]), chosen)


def _firsts(model: Any, before: Tensor, ids: Tensor) -> Tensor:
    """-log p of many ids after one and the same hidden state (1, width)."""
    logits = model.get_output_embeddings()(before).float()
    return -functional.log_softmax(logits, dim=-1)[0, ids]


def _groups(candidates: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Neighbours of at most TOGETHER tokens in all."""
    group: list[Sequence[int]] = []
    for candidate in candidates:
        if group and sum(map(len, group)) + len(candidate) > MAX_BATCH_TOKENS:
            yield group
            group = []
        group.append(candidate)
    yield group


def _group(model: Any, prefix: Prefill, at: int, group: list[Sequence[int]], choice: bool) -> Scores:
    """The candidates one after another in one run: each sees the remembered prompt and itself alone."""
    # The last token is predicted by the one before it; only the choice head looks at its own hidden state.
    inputs = [list(c) if choice else list(c[:-1]) for c in group]
    targets = [[*c[1:], UNSCORED] if choice else list(c[1:]) for c in group]
    sums = torch.zeros(len(group))
    if not any(inputs):
        return Scores(sums, None)
    owner = torch.repeat_interleave(torch.tensor([len(c) for c in inputs]))
    places = torch.tensor([at + i for c in inputs for i in range(len(c))])
    cache = DynamicCache()
    for i, (keys, values) in enumerate(prefix.layers):
        cache.update(keys[:, :, :at], values[:, :, :at], i)
    hidden = model.base_model(
        input_ids=torch.tensor([[token for c in inputs for token in c]]),
        past_key_values=cache,
        attention_mask=_mask(owner, at, prefix.hidden.dtype),
        position_ids=places[None],
    ).last_hidden_state[0]
    losses = nats(model, hidden, torch.tensor([token for c in targets for token in c]))
    sums.index_add_(0, owner, losses)
    if not choice:
        return Scores(sums, None)
    last = torch.tensor([len(c) for c in inputs]).cumsum(0) - 1
    return Scores(sums, model.multiple_choice_head(hidden[last][:, None]).flatten().float())


def _mask(owner: Tensor, at: int, dtype: torch.dtype) -> Tensor:
    """(1, 1, N, at + N): 0 where a token may look, the least number where it may not."""
    count = len(owner)
    seen = (owner[:, None] == owner[None]) & torch.ones(count, count, dtype=torch.bool).tril()
    among = torch.full((count, count), torch.finfo(dtype).min, dtype=dtype).masked_fill(seen, 0)
    return torch.cat([torch.zeros(count, at, dtype=dtype), among], dim=1)[None, None]
