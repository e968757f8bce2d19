"""How one request's next token is drawn from logits: what transformers' processors do, in their order and meaning.

Knows logits and tokens; nothing of how they are computed.
"""

import random
from collections.abc import Collection, Sequence
from typing import Any

from backends.local.engine import Sampling


class Draw:
    """One request's choices, which remember what was drawn and have a generator of their own."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int], ends: Collection[int]) -> None:
        import torch

        self._sampling, self._ends = sampling, sorted(ends)
        self._begins = self._count = len(prompt)
        self._tokens = torch.empty(len(prompt) + sampling.max_tokens, dtype=torch.long)
        self._tokens[: self._count] = torch.tensor(prompt)
        self._generator = torch.Generator()
        self._generator.manual_seed(random.getrandbits(63) if sampling.seed is None else sampling.seed)

    def draw(self, logits: Any) -> int:
        """The next token; `logits`, [vocabulary] in fp32 on the CPU, are changed."""
        self._change(logits)
        token = int(logits.argmax()) if self._sampling.temperature == 0 else self._drawn(logits)
        self._tokens[self._count] = token
        self._count += 1
        return token

    def _change(self, logits: Any) -> None:
        """The penalty for tokens of the prompt and the reply, no end, then the penalties for those of the reply."""
        import torch

        sampling, replied = self._sampling, self._tokens[self._begins : self._count]
        if sampling.repetition_penalty != 1.0:
            seen = self._tokens[: self._count]
            found = logits[seen]
            factor = sampling.repetition_penalty
            logits[seen] = torch.where(found < 0, found * factor, found / factor)
        if self._ends and (sampling.ignore_eos or not len(replied)):  # a reply begins with no end
            logits[self._ends] = -torch.inf
        if (sampling.frequency_penalty or sampling.presence_penalty) and len(replied):
            said, times = torch.unique(replied, return_counts=True)
            logits[said] -= sampling.frequency_penalty * times + sampling.presence_penalty

    def _drawn(self, logits: Any) -> int:
        """Temperature, top-k, top-p, min-p, draw: what passes is a beginning of the tokens in order of likelihood."""
        import torch

        sampling, size = self._sampling, len(logits)
        if 0 < sampling.top_k < size:
            scores, tokens = torch.topk(logits / sampling.temperature, sampling.top_k)
        else:
            scores, tokens = torch.sort(logits / sampling.temperature, descending=True)
        shares = torch.softmax(scores.double(), 0)
        sums = shares.cumsum(0)
        passing = (sums - shares < sampling.top_p) & (shares >= sampling.min_p * shares[0])
        last = max(1, int(passing.sum())) - 1
        at = torch.rand((), generator=self._generator, dtype=torch.float64) * sums[last]
        return int(tokens[min(last, int(torch.searchsorted(sums, at, right=True)))])
