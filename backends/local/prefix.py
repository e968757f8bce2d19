"""What two texts begin with alike. Knows tokens only."""

from collections.abc import Sequence


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two begin with alike."""
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))


def continued(past: Sequence[int], prompt: Sequence[int]) -> int:
    """How many tokens of `past` a prompt begins with where it goes on with that conversation, else 0."""
    begins = shared(past, prompt)
    return begins if 2 * begins > len(past) else 0
