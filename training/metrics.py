"""What is counted in replies and probabilities: pure functions of texts and numbers. Knows no model and no file."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

WORD = re.compile(r"\w+(?:['’]\w+)*")
ARTICLES = {"a", "an", "the"}


def split_words(text: str) -> list[str]:
    """Lower-cased words without punctuation; "don't" is one."""
    return WORD.findall(text.lower())


def ngrams(items: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Every run of `n` neighbours."""
    return [tuple(items[i : i + n]) for i in range(len(items) - n + 1)]


def perplexity(nats: float, count: int) -> float | None:
    """exp of the mean of `nats` over `count` tokens or bytes; None where there are none."""
    return math.exp(nats / count) if count else None


def token_f1(reply: str, reference: str) -> float:
    """Overlap in words of two texts, articles left out: the harmonic mean of precision and recall, 0..1."""
    predicted, expected = ([w for w in split_words(text) if w not in ARTICLES] for text in (reply, reference))
    common = (Counter(predicted) & Counter(expected)).total()
    return 2 * common / (len(predicted) + len(expected)) if common else 0.0


def distinct(replies: Iterable[str], n: int) -> float | None:
    """Different n-grams among all n-grams of all replies, 0..1; None where there is none."""
    grams = [gram for reply in replies for gram in ngrams(split_words(reply), n)]
    return len(set(grams)) / len(grams) if grams else None


def repeated(replies: Iterable[str], n: int = 4) -> float | None:
    """The share of n-grams that their own reply has already said, 0..1; None where no reply is long enough."""
    grams_of_replies = [ngrams(split_words(reply), n) for reply in replies]
    total = sum(map(len, grams_of_replies))
    return 1 - sum(len(set(grams)) for grams in grams_of_replies) / total if total else None


def echoed(replies: Iterable[str], prompts: Iterable[str], n: int = 4) -> float | None:
    """The share of the replies' n-grams that stand in their prompts, 0..1; None where no reply is long enough."""
    hits = [
        gram in seen
        for reply, prompt in zip(replies, prompts, strict=True)
        for seen in [set(ngrams(split_words(prompt), n))]
        for gram in ngrams(split_words(reply), n)
    ]
    return mean(hits)


def mean(values: Iterable[float]) -> float | None:
    """The mean; None of nothing."""
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else None


def wilson(hits: int, cases: int, z: float = 1.959964) -> tuple[float, float] | None:
    """The 95% interval of a share (Wilson 1927); None without cases."""
    if not cases:
        return None
    share, spread = hits / cases, z * z / cases
    middle = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / cases + spread / (4 * cases))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def reply_metrics(
    replies: Sequence[str], references: Sequence[str], prompts: Sequence[str]
) -> dict[str, float | int | None]:
    """Every figure of a list of replies, under its name in the JSON; lengths in words."""
    return {
        "replies": len(replies),
        "f1": mean(token_f1(*pair) for pair in zip(replies, references, strict=True)),
        "distinct_1": distinct(replies, 1),
        "distinct_2": distinct(replies, 2),
        "repeated_4grams": repeated(replies),
        "echoed_4grams": echoed(replies, prompts),
        "words": mean(len(split_words(reply)) for reply in replies),
        "empty": mean(not reply.strip() for reply in replies),
    }
