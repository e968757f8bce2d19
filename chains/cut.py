"""Where a conversation that no longer fits is cut: at one turn for several messages, so that a model goes on with it.

What a model or a server computed for a prompt serves the next one as far as both begin alike, and a cut that moved with
each message would leave nothing of that. So more turns go at once than have to, and then none until the window is full
again. Who remembers the last cut says so. Where nobody does, the cut falls on the roundest turn of those that it may
fall on: that one stays the roundest while newer turns come, so whoever sees the same conversation finds it again.
Knows turns by their number and size; nothing of messages.
"""

from collections.abc import Callable, Sequence

STEP = 4  # turns to choose from at least, where this leaves more than the newest one
Cut = Callable[[int, Sequence[int], int | None], int]


def least_cut(first: int, sizes: Sequence[int], before: int | None = None) -> int:
    """The first turn that fits: the most of a conversation, and each message moves it."""
    return first


def lasting_cut(first: int, sizes: Sequence[int], before: int | None = None) -> int:
    """The turn that a conversation is cut at, from `first` on, which is the oldest that fits, to a later one.

    `sizes` are those of the turns from there on, the newest last; `before` is where the prompt before was cut, None
    where nobody remembers.
    """
    last = first + _most_turns(sizes)
    if before is None:
        return _roundest(first, last)
    return before if first <= before <= last else last


def _most_turns(sizes: Sequence[int]) -> int:
    """How many turns may go although they fit: half of what lies before the newest turn stays.

    Where that leaves fewer than `STEP` to choose from it is less, but the turn before the newest one stays always.
    """
    newest = len(sizes) - 1
    at, kept, half = newest, 0, sum(sizes[:newest]) / 2
    while at and kept < half:
        at -= 1
        kept += sizes[at]
    return max(at, min(STEP - 1, newest - 1), 0)


def _roundest(first: int, last: int) -> int:
    """The number from `first`, which is 1 or more, to `last` that two divides most often."""
    bit = ((first - 1) ^ last).bit_length() - 1  # the highest in which they differ: none between has more zeros
    return last >> bit << bit
