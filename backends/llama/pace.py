"""How long llama_decode takes on this machine, learned from the steps themselves; what follows for the next one.

Kernels differ by their rows: of some weights 3, 5 and 7 rows take longer than 4, 6 and 8, of some two rows longer than
each alone. A neighbour that computes is felt, too, so nothing is measured once for all. Knows rows and seconds only.
"""

from collections.abc import Sequence

SIZES = (1, 2, 4, 6, 8, 12, 16)  # rows of a chat whose continuation is guessed: odd ones are slower
MOST_ROWS = 16
GAIN = 1.05  # by which a guess has to pay
TRIES = 3  # times that a batch is padded to learn how long it takes
WAIT = 1.0  # seconds that those who are being answered wait for a piece of a prompt
FASTER, SLOWER = 0.5, 0.1  # how much one step counts: a disturbed one is always slower
FIXED = 0.8  # rows that take as long as what does not hang on their number, where nothing is known


class Pace:
    """Seconds by rows."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}
        self._counts: dict[int, int] = {}
        self._prompt: float | None = None  # seconds for a token of a long piece

    def note(self, rows: int, seconds: float) -> None:
        """A step that computed the next tokens of chats took so long."""
        self._seconds[rows] = _follow(self._seconds.get(rows), seconds)
        self._counts[rows] = self._counts.get(rows, 0) + 1

    def note_prompt(self, tokens: int, seconds: float) -> None:
        """A piece of a prompt took so long."""
        if tokens > MOST_ROWS:
            self._prompt = _follow(self._prompt, seconds / tokens)

    def seconds(self, rows: int) -> float:
        """What so many rows take, or are likely to; 1.0 for one where nothing is known."""
        if rows in self._seconds:
            return self._seconds[rows]
        nearest = min(self._seconds, key=lambda known: abs(known - rows), default=None)
        if nearest is None:
            return (FIXED + rows) / (FIXED + 1)
        return self._seconds[nearest] * (FIXED + rows) / (FIXED + nearest)

    def is_padded(self, rows: int) -> bool:
        """Whether a batch of so many rows is sooner done with another one beside them."""
        if rows < 3 or rows % 2 == 0 or rows not in self._seconds:
            return False
        return self._counts.get(rows + 1, 0) < TRIES or self._seconds[rows + 1] < self._seconds[rows] / GAIN

    def is_split(self, rows: int) -> bool:
        """Whether two rows are sooner done one after the other."""
        known = rows == 2 and {1, 2} <= self._seconds.keys()
        return known and 2 * self._seconds[1] < self._seconds[2] / GAIN

    def piece(self, longest: int) -> int:
        """Tokens of a prompt that delay the others for no longer than they wait, at most `longest`."""
        return longest if self._prompt is None else max(MOST_ROWS, min(longest, int(WAIT / self._prompt)))

    def draft(self, shares: Sequence[float], longest: int, least: int = 1) -> int:
        """How many guessed tokens of each chat pay, at most `longest`; 0 where none do.

        `shares`: how often a guess of each comes true. `least`: rows that a step has in any case.
        """
        chats = len(shares)
        sizes = [size for size in SIZES if size <= longest + 1 and (size == 1 or size * chats <= MOST_ROWS)]

        def rate(size: int) -> float:
            expected = sum((1 - share**size) / (1 - share) for share in shares)
            return expected / self.seconds(max(least, size * chats))

        best = max(sizes, key=rate)
        return best - 1 if rate(best) > GAIN * rate(1) else 0


def _follow(known: float | None, seconds: float) -> float:
    if known is None:
        return seconds
    return known + (FASTER if seconds < known else SLOWER) * (seconds - known)
