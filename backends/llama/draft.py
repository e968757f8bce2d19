"""How a chat may go on, looked up in what was said before: a text quoted, reworked, a program edited.

(Saxena, Prompt Lookup Decoding, 2023.) 1. Where the last three tokens stood before, else the last two, is the source;
2. what followed there is the guess; 3. as long as it comes true the source goes along. How often it does is counted
where nobody computes it, too. Knows tokens only; what is drawn never hangs on a guess.
"""

from collections.abc import Sequence

LENGTHS = (3, 2)  # tokens that are looked for
START, LEARN = 0.6, 0.15  # the share of guesses that come true: at first, and by how much one counts
LONG = 4  # tokens in a row that came true, from which on they count more than all before
MOST = 0.98


class Draft:
    """The tokens of one chat, and what may follow."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = list(tokens)
        self._places: dict[tuple[int, ...], int] = {}  # where a sequence ended last: the place behind it
        self._indexed = 0
        self._source: int | None = None
        self._share, self._run = START, 0

    @property
    def share(self) -> float:
        """How often a guess of the next token comes true, 0 to 1, never quite."""
        recent = (self._run + 1) / (self._run + 2) if self._run >= LONG else 0.0
        return min(MOST, max(self._share, recent))

    def guess(self, longest: int) -> list[int]:
        """At most so many tokens that may come next; none where nothing like it was said."""
        if self._source is None:
            self._source = self._find()
        found = [] if self._source is None else self._tokens[self._source : self._source + longest]
        return found if min(found, default=0) >= 0 else []  # what stands for a picture is drawn by nobody

    def add(self, token: int) -> None:
        """The next token as it was drawn."""
        if self._source is not None:
            is_right = token == self._tokens[self._source]
            self._share += LEARN * (is_right - self._share)
            self._run = self._run + 1 if is_right else 0
            self._source = self._source + 1 if is_right else None
        self._tokens.append(token)

    def _find(self) -> int | None:
        """The place behind what was said last, where it stood before."""
        tokens, places = self._tokens, self._places
        for end in range(self._indexed + 1, len(tokens)):  # the very last ones have nothing behind them yet
            for length in LENGTHS:
                if end >= length:
                    places[tuple(tokens[end - length : end])] = end
        self._indexed = max(self._indexed, len(tokens) - 1)
        for length in LENGTHS:
            if (place := places.get(tuple(tokens[-length:]))) is not None:
                return place
        return None
