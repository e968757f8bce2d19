"""How llama.cpp draws a request's tokens: a chain of its own samplers, with transformers' order and meaning.

Knows logits and tokens; nothing of text.
"""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from backends.llama.model import Model
from backends.local.grammar import Matcher
from backends.local.sampling import WHOLE_WINDOW, Sampling


class Sampler:
    """One request's chain, which remembers what it drew. `close` gives its memory back."""

    def __init__(
        self,
        model: Model,
        window: int,
        sampling: Sampling,
        prompt: Sequence[int],
        drawn: Sequence[int] = (),
        matcher: Matcher | None = None,
    ) -> None:
        """`drawn`: tokens that another chain drew for this request; `matcher` says which may come next."""
        self._api, self._model, self._matcher = model.api, model, matcher
        self._chain = self._api.llama_sampler_chain_init(self._api.llama_sampler_chain_default_params())
        for part in (*self._penalties(window, sampling, prompt), *self._choice(sampling)):
            self._api.llama_sampler_chain_add(self._chain, part)
        for token in drawn:
            self._api.llama_sampler_accept(self._chain, token)
        self._is_first = not drawn

    def sample(self, context: Any, row: int) -> int:
        """The next token, drawn from the logits of this row of the batch. Raises ModelAPIError."""
        allowed = None if self._matcher is None else self._matcher.allowed()
        if allowed is not None:
            logits = self._api.llama_get_logits_ith(context, row)
            np.ctypeslib.as_array(logits, (self._model.vocabulary_size,))[~allowed] = -math.inf
        elif self._is_first:
            logits = self._api.llama_get_logits_ith(context, row)
            for end in self._model.end_ids:  # a reply begins with no end: transformers calls this min_new_tokens=1
                logits[end] = -math.inf
        self._is_first = False
        token = int(self._api.llama_sampler_sample(self._chain, context, row))
        if self._matcher is not None:
            self._matcher.accept(token)
        return token

    def close(self) -> None:
        """Free the chain; not to be called twice."""
        self._api.llama_sampler_free(self._chain)

    def _penalties(self, window: int, sampling: Sampling, prompt: Sequence[int]) -> Iterator[Any]:
        """No end, the penalty for what is repeated, then those for each time, and for once, in the reply."""
        api, size, end_ids = self._api, self._model.vocabulary_size, self._model.end_ids
        if sampling.ignore_eos and end_ids:
            never = (api.llama_logit_bias * len(end_ids))(*((token, -math.inf) for token in end_ids))
            yield api.llama_sampler_init_logit_bias(size, len(never), never)
        last, with_prompt = sampling.repeat_last_n, sampling.repeat_last_n is not None
        if sampling.repetition_penalty != 1.0 and last != 0:
            length = window if last is None or last == WHOLE_WINDOW else min(last, window)
            penalty = api.llama_sampler_init_penalties(size, length, sampling.repetition_penalty, 0.0, 0.0)
            for token in prompt[-length:] if with_prompt else ():  # what stands for a picture is drawn by nobody
                api.llama_sampler_accept(penalty, token)
            yield penalty
        frequency, presence = sampling.frequency_penalty, sampling.presence_penalty
        if frequency or presence:
            yield api.llama_sampler_init_penalties(size, window, 1.0, frequency, presence)

    def _choice(self, sampling: Sampling) -> Iterator[Any]:
        """Top-k, temperature, top-p, min-p, draw; or the likeliest."""
        api = self._api
        if sampling.temperature == 0:
            yield api.llama_sampler_init_greedy()
            return
        yield api.llama_sampler_init_top_k(sampling.top_k)
        yield api.llama_sampler_init_temp(sampling.temperature)
        yield api.llama_sampler_init_top_p(sampling.top_p, 1)
        if sampling.min_p:
            yield api.llama_sampler_init_min_p(sampling.min_p, 1)
        seed = random.getrandbits(64) if sampling.seed is None else sampling.seed
        yield api.llama_sampler_init_dist(seed % api.LLAMA_DEFAULT_SEED)  # itself would mean a random one
