"""The model while it learns: GPT-2 or Llama with one loss over learnt tokens and, beside it, the choice of replies.

Knows batches as training.branches lays them; nothing of files or schedules.
"""

from typing import Any

import torch
import transformers
from torch.nn.functional import cross_entropy
from transformers.modeling_outputs import CausalLMOutput

from training import likelihood


class ReplyLoss:
    """What a causal language model computes from batches as training.branches lays them.

    `contrast` weighs the choice between a true reply and its distractors: cross-entropy over their mean log-likelihoods
    per token, times `sharpness` (as in BRIO, Liu et al. 2022, arXiv:2203.16804, with a softmax for the margin).
    """

    contrast: float = 0.0
    sharpness: float = 4.0
    distractors: int = 4

    def forward(self, input_ids: torch.Tensor, origins: torch.Tensor | None = None, **rest: Any) -> Any:
        """Logits as ever without `origins` (B, M); with them the loss over `labels` and `candidates` (B, M)."""
        if origins is None:
            return super().forward(input_ids, **rest)  # type: ignore[misc]
        labels, candidates, items = rest["labels"], rest["candidates"], rest.get("num_items_in_batch")
        hidden = self.base_model(  # type: ignore[attr-defined]
            input_ids, position_ids=rest["position_ids"], attention_mask=rest["attention_mask"], use_cache=False
        )[0]
        head = self.lm_head.weight  # type: ignore[attr-defined]
        scored = (labels >= 0) | (candidates >= 0)
        row, _ = scored.nonzero(as_tuple=True)
        nats = likelihood.nats(hidden[row, origins[scored]], head, input_ids[scored])
        learnt = labels[scored] >= 0
        loss = nats[learnt].sum() / (learnt.sum() if items is None else items)
        if self.contrast and self.training:  # type: ignore[attr-defined]
            share = 1.0 if items is None else learnt.sum() / items
            loss = loss + self.contrast * share * self.choice(nats, candidates[scored])
        return CausalLMOutput(loss=loss)

    def choice(self, nats: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of choosing the true reply, the first of each case; 0 where there is no case. Both (N,)."""
        weighed = candidates >= 0
        if not weighed.any():
            return nats.sum() * 0.0
        size = self.distractors + 1
        number = (int(candidates.max()) // size + 1) * size
        index = candidates[weighed]
        total = nats.new_zeros(number).index_add(0, index, nats[weighed])
        count = nats.new_zeros(number).index_add(0, index, torch.ones_like(nats[weighed]))
        means = torch.where(count > 0, -total / count.clamp(min=1), -torch.inf).view(-1, size)
        target = torch.zeros(len(means), dtype=torch.long, device=means.device)
        return cross_entropy(means * self.sharpness, target)


class GPT2LMHeadModel(ReplyLoss, transformers.GPT2LMHeadModel):  # type: ignore[misc]
    """Named like its parent, so that what it saves loads anywhere."""


class LlamaForCausalLM(ReplyLoss, transformers.LlamaForCausalLM):  # type: ignore[misc]
    """Likewise: what SmolLM2 is, and most small models that are given away."""
