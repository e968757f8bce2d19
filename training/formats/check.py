"""Whether a written file answers as its source does, asked of the library that serves it.

Knows logits, tokens and their bounds; nothing of files, networks or formats.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.formats import Format, Logits, Reader, Trained
from training.formats.samples import Samples
from training.formats.source import Torch, rounded

STEPS = 24
# Two tokens whose logits are nearer than this share of all logits' standard deviation are a tie: rounding may
# choose either, and a trained model's f16 file errs by a fifth of it at most.
TIE = 0.02


class BrokenError(ValueError):
    """A file that does not answer as its source does; the message says in what, with the figures."""


@dataclass(frozen=True)
class Source:
    """What every file is compared with, worked out once."""

    trained: Trained
    samples: Samples

    @cached_property
    def exact(self) -> Torch:
        """The model as it is."""
        return Torch(self.trained.model, self.trained.tokenizer)

    @cached_property
    def halved(self) -> Torch:
        """Its weights rounded to fp16. Raises ValueError where they cannot be."""
        return Torch(rounded(self.trained.model), self.trained.tokenizer)

    @cached_property
    def nats(self) -> float:
        """Its surprise at all passages together."""
        return sum(surprise(self.exact.logits(ids, len(ids)), ids) for ids in self.samples.passages)


def check(form: Format, reader: Reader, source: Source) -> str:
    """What was found, in a line. Raises BrokenError, and ValueError for weights that the format cannot hold."""
    same_text(reader, source)
    said = [perplexities(form, reader, source)]
    if form.greedy:
        said.append(same_choices(form, reader, source.halved if form.rounded else source.exact, source.samples.prompts))
    return ", ".join(said)


def same_text(reader: Reader, source: Source) -> None:
    """The template and every text's tokens. Raises BrokenError."""
    if source.exact.template is not None and reader.template != source.exact.template:
        raise BrokenError(f"chat template: the file has {_short(reader.template)}, not {_short(source.exact.template)}")
    for text in source.samples.texts:
        got, wanted = reader.tokens(text), source.exact.tokens(text)
        if got != wanted:
            shared = next((i for i, (a, b) in enumerate(zip(got, wanted, strict=False)) if a != b), len(wanted))
            raise BrokenError(
                f"tokens: {_short(text)} is {len(got)} of them, {len(wanted)} in the source; the first {shared} agree"
            )


def perplexities(form: Format, reader: Reader, source: Source) -> str:
    """Per token, over all passages. Raises BrokenError where they are further apart than the format may be."""
    passages = source.samples.passages
    nats = sum(surprise(finite(reader.logits(ids, len(ids))), ids) for ids in passages)
    tokens = sum(len(ids) - 1 for ids in passages)
    apart = float(np.expm1((nats - source.nats) / tokens))
    got, wanted = np.exp(nats / tokens), np.exp(source.nats / tokens)
    line = f"perplexity {got:.4g}, {wanted:.4g} in the source ({apart:+.2%}) on {tokens} tokens"
    if not abs(apart) <= form.perplexity:
        raise BrokenError(f"{line}: at most {form.perplexity:.1%} are allowed")
    return line


def same_choices(form: Format, reader: Reader, source: Torch, prompts: Sequence[list[int]]) -> str:
    """The source's greedy tokens, each asked of the file at the same place. Raises BrokenError for one that differs.

    Equal at every place means equal when the file goes on by itself; a tie is told by the source's own logits.
    """
    ties = 0
    for number, prompt in enumerate(prompts, 1):
        path = source.greedy(prompt, STEPS)
        wanted = source.logits(path, len(path))
        got = finite(reader.logits(path, len(prompt)))
        if form.logits is not None:
            near(got, wanted, form.logits, f"prompt {number}")
        for place in range(len(prompt) - 1, len(path) - 1):
            ties += tied(got[place], wanted[place], f"prompt {number}, token {place - len(prompt) + 2}")
    return f"greedy tokens equal ({len(prompts)} prompts x {STEPS}{f', {ties} ties' if ties else ''})"


def near(got: Logits, wanted: Logits, bound: float, where: str) -> None:
    """Raises BrokenError where a logit is further off than `bound` times the standard deviation at its place."""
    apart = float((np.abs(got - wanted).max(axis=-1) / wanted.std(axis=-1)).max())
    if not apart <= bound:
        raise BrokenError(f"logits: {where}: {apart:.3%} of their spread apart, at most {bound:.1%} are allowed")


def tied(got: Logits, wanted: Logits, where: str) -> bool:
    """Whether another token was chosen that is as good. Raises BrokenError where it is worse."""
    chosen, best = int(got.argmax()), int(wanted.argmax())
    apart, bound = float(wanted[best] - wanted[chosen]), TIE * float(wanted.std())
    if apart > bound:
        raise BrokenError(
            f"greedy tokens: {where} is {chosen}, {best} in the source, whose logits for the two are {apart:.3g} apart "
            f"(a tie is {bound:.2g} at most)"
        )
    return chosen != best


def finite(logits: Logits) -> Logits:
    """The same. Raises BrokenError for one that is no number."""
    if broken := int((~np.isfinite(logits)).sum()):
        raise BrokenError(f"logits: {broken} of {logits.size} are no numbers")
    return logits


def surprise(logits: Logits, ids: Sequence[int]) -> float:
    """Nats of ids[1:] in sum, each after those before it."""
    before = logits[:-1].astype(np.float64)
    top = before.max(axis=-1, keepdims=True)
    whole = np.log(np.exp(before - top).sum(axis=-1)) + top[:, 0]
    return float((whole - before[np.arange(len(ids) - 1), list(ids[1:])]).sum())


def _short(text: str | None) -> str:
    return repr(text if text is None or len(text) < 50 else text[:50] + "…")
