"""Whether a written file answers as its source does, asked of the library that serves it.

Knows logits, tokens and their bounds; nothing of files, networks or formats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.formats import Format, Logits, Reader, Trained
from training.formats.samples import Samples
from training.formats.source import TorchReader, round_to_fp16

STEPS = 24
# Two tokens whose logits are nearer than this share of all logits' standard deviation are a tie: rounding may
# choose either, and a trained model's f16 file errs by a fifth of it at most.
TIE = 0.02


class BrokenError(ValueError):
    """A file that does not answer as its source does; the message says in what, with the figures."""


@dataclass(frozen=True)
class Reference:
    """What every file is compared with, worked out once."""

    trained: Trained
    samples: Samples

    @cached_property
    def exact(self) -> TorchReader:
        """The model with its weights as they are."""
        return TorchReader(self.trained.model, self.trained.tokenizer)

    @cached_property
    def fp16(self) -> TorchReader:
        """The model with its weights rounded to fp16. Raises ValueError where they cannot be."""
        return TorchReader(round_to_fp16(self.trained.model), self.trained.tokenizer)

    @cached_property
    def nats(self) -> float:
        """Its surprise at all passages together."""
        return sum(total_nats(self.exact.logits(ids, len(ids)), ids) for ids in self.samples.passages)


def check(form: Format, reader: Reader, source: Reference) -> str:
    """How the file compares, in a line. Raises BrokenError, and ValueError for weights that the format cannot hold."""
    if not form.adapts:  # an adapter's tokenizer is its base's, in every library
        check_tokens(reader, source)
    results = [check_perplexity(form, reader, source)]
    if form.greedy:
        results.append(
            check_greedy(form, reader, source.fp16 if form.rounded else source.exact, source.samples.prompts)
        )
    return ", ".join(results)


def check_tokens(reader: Reader, source: Reference) -> None:
    """The template and every text's tokens. Raises BrokenError."""
    if source.exact.template is not None and reader.template != source.exact.template:
        raise BrokenError(f"chat template: the file has {_short(reader.template)}, not {_short(source.exact.template)}")
    for text in source.samples.texts:
        got, expected = reader.tokens(text), source.exact.tokens(text)
        if got != expected:
            shared = next((i for i, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b), len(expected))
            raise BrokenError(
                f"tokens: {_short(text)} is {len(got)} of them, {len(expected)} in the source; the first {shared} agree"
            )


def check_perplexity(form: Format, reader: Reader, source: Reference) -> str:
    """Both perplexities per token, in a line. Raises BrokenError where they differ by more than the format may."""
    passages = source.samples.passages
    nats = sum(total_nats(check_finite(reader.logits(ids, len(ids))), ids) for ids in passages)
    tokens = sum(len(ids) - 1 for ids in passages)
    apart = float(np.expm1((nats - source.nats) / tokens))
    got, expected = np.exp(nats / tokens), np.exp(source.nats / tokens)
    line = f"perplexity {got:.4g}, {expected:.4g} in the source ({apart:+.2%}) on {tokens} tokens"
    if not abs(apart) <= form.perplexity:
        raise BrokenError(f"{line}: at most {form.perplexity:.1%} are allowed")
    return line


def check_greedy(form: Format, reader: Reader, source: TorchReader, prompts: Sequence[list[int]]) -> str:
    """The source's greedy tokens, each asked of the file at the same place. Raises BrokenError for one that differs.

    Equal at every place means equal when the file goes on by itself; a tie is told by the source's own logits.
    """
    ties = 0
    for number, prompt in enumerate(prompts, 1):
        path = source.greedy(prompt, STEPS)
        expected = source.logits(path, len(path))
        got = check_finite(reader.logits(path, len(prompt)))
        if form.logits is not None:
            check_logits(got, expected, form.logits, f"prompt {number}")
        for position in range(len(prompt) - 1, len(path) - 1):
            ties += is_tie(got[position], expected[position], f"prompt {number}, token {position - len(prompt) + 2}")
    return f"greedy tokens equal ({len(prompts)} prompts x {STEPS}{f', {ties} ties' if ties else ''})"


def check_logits(got: Logits, expected: Logits, bound: float, where: str) -> None:
    """Raises BrokenError where a logit is further off than `bound` times the standard deviation at its place."""
    apart = float((np.abs(got - expected).max(axis=-1) / expected.std(axis=-1)).max())
    if not apart <= bound:
        raise BrokenError(f"logits: {where}: {apart:.3%} of their spread apart, at most {bound:.1%} are allowed")


def is_tie(got: Logits, expected: Logits, where: str) -> bool:
    """Whether another token was chosen that is as good. Raises BrokenError where it is worse."""
    chosen, best = int(got.argmax()), int(expected.argmax())
    apart, bound = float(expected[best] - expected[chosen]), TIE * float(expected.std())
    if apart > bound:
        raise BrokenError(
            f"greedy tokens: {where} is {chosen}, {best} in the source, whose logits for the two are {apart:.3g} apart "
            f"(a tie is {bound:.2g} at most)"
        )
    return chosen != best


def check_finite(logits: Logits) -> Logits:
    """The logits themselves. Raises BrokenError where one is no number."""
    if broken := int((~np.isfinite(logits)).sum()):
        raise BrokenError(f"logits: {broken} of {logits.size} are no numbers")
    return logits


def total_nats(logits: Logits, ids: Sequence[int]) -> float:
    """Nats of ids[1:] in sum, each after those before it."""
    before = logits[:-1].astype(np.float64)
    top = before.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(before - top).sum(axis=-1)) + top[:, 0]
    return float((log_sum - before[np.arange(len(ids) - 1), list(ids[1:])]).sum())


def _short(text: str | None) -> str:
    return repr(text if text is None or len(text) < 50 else text[:50] + "…")
