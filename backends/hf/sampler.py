"""How one request's next token is sampled from logits: as transformers' processors do it, in their order and meaning.

Knows logits and tokens; nothing of how they are computed.
"""

import random
from collections.abc import Collection, Sequence
from typing import Any

from backends.local.grammar import Matcher
from backends.local.sampling import WHOLE_WINDOW, Sampling


class Sampler:
    """One request's sampler, which remembers its tokens and has a generator of its own."""

    def __init__(
        self, sampling: Sampling, prompt: Sequence[int], end_ids: Collection[int], matcher: Matcher | None = None
    ) -> None:
        import torch

        self._sampling, self._end_ids, self._matcher = sampling, sorted(end_ids), matcher
        self._prompt_length = self._count = len(prompt)
        self._tokens = torch.empty(len(prompt) + sampling.max_tokens, dtype=torch.long)
        self._tokens[: self._count] = torch.tensor(prompt)
        self._generator = torch.Generator()
        self._generator.manual_seed(random.getrandbits(63) if sampling.seed is None else sampling.seed)

    def sample(self, logits: Any) -> int:
        """The next token; `logits`, [vocabulary] in fp32 on the CPU, are changed in place. Raises ModelAPIError."""
        import torch

        allowed = None if self._matcher is None else self._matcher.allowed()
        self._apply_penalties(logits, may_end=allowed is not None)
        if allowed is not None:
            logits[torch.from_numpy(~allowed)] = -torch.inf
        token = int(logits.argmax()) if self._sampling.temperature == 0 else self._sample(logits)
        self._tokens[self._count] = token
        self._count += 1
        if self._matcher is not None:
            self._matcher.accept(token)
        return token

    def _apply_penalties(self, logits: Any, may_end: bool = False) -> None:
        """Penalize what is repeated, forbid an end, then penalize each time, and once, in the reply.

        `may_end`: something else says where the reply may end.
        """
        import torch

        sampling, replied = self._sampling, self._tokens[self._prompt_length : self._count]
        if sampling.repetition_penalty != 1.0 and (seen := self._repeatable()) is not None:
            scores = logits[seen]
            factor = sampling.repetition_penalty
            logits[seen] = torch.where(scores < 0, scores * factor, scores / factor)
        if self._end_ids and not may_end and (sampling.ignore_eos or not len(replied)):  # a reply begins with no end
            logits[self._end_ids] = -torch.inf
        if (sampling.frequency_penalty or sampling.presence_penalty) and len(replied):
            sampled, counts = torch.unique(replied, return_counts=True)
            logits[sampled] -= sampling.frequency_penalty * counts + sampling.presence_penalty

    def _repeatable(self) -> Any:
        """The tokens that `repetition_penalty` is for, of the reply or of the window's end; None without any."""
        last, begin = self._sampling.repeat_last_n, self._prompt_length
        if last is not None:
            begin = 0 if last == WHOLE_WINDOW else max(0, self._count - last)
        return self._tokens[begin : self._count] if begin < self._count else None

    def _sample(self, logits: Any) -> int:
        """Temperature, top-k, top-p, min-p, draw: what passes are the first of the tokens in order of likelihood."""
        import torch

        sampling, size = self._sampling, len(logits)
        if 0 < sampling.top_k < size:
            scores, tokens = torch.topk(logits / sampling.temperature, sampling.top_k)
        else:
            scores, tokens = torch.sort(logits / sampling.temperature, descending=True)
        probabilities = torch.softmax(scores.double(), 0)
        cumulative = probabilities.cumsum(0)
        passing = (cumulative - probabilities < sampling.top_p) & (probabilities >= sampling.min_p * probabilities[0])
        last = max(1, int(passing.sum())) - 1
        at = torch.rand((), generator=self._generator, dtype=torch.float64) * cumulative[last]
        return int(tokens[min(last, int(torch.searchsorted(cumulative, at, right=True)))])
