"""The common beginning of two token sequences. Knows tokens only."""

from collections.abc import Sequence


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    for position, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return position
    return min(len(first), len(second))


def continued_prefix(past: Sequence[int], prompt: Sequence[int]) -> int:
    """How many tokens of `past` a prompt begins with where it goes on with that conversation, else 0."""
    length = common_prefix(past, prompt)
    return length if 2 * length > len(past) else 0
