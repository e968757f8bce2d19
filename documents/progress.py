"""How far the reading of one file is, and the time that is left, in words. Knows counts and a clock; no file."""

import time
from collections import deque
from dataclasses import dataclass, field

LATEST = 12  # counts that the time left is told from: pages of words come faster than those read from pictures
LEAST = 3  # counts before one is told
SHORT = 5.0  # seconds of which nothing is said
MINUTE = 60


@dataclass(eq=False)
class Progress:
    """`done` of `of` pages, then of the passages that vectors are made of."""

    name: str
    done: int = 0
    total: int = 0
    unit: str = "pages"
    notice: str | None = None  # what of the file is missing
    _counts: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=LATEST), repr=False)

    @property
    def label(self) -> str:
        """The progress as a line for people."""
        if self.total <= 1:
            return f"Reading {self.name}…"
        left = self.seconds_left(time.monotonic())
        return f"Reading {self.name}: {self.done} of {self.total} {self.unit}{format_left(left)}…"

    def seconds_left(self, now: float) -> float | None:
        """How long the rest takes at the pace of the latest pages; None where that is not known."""
        counts = list(self._counts)
        if len(counts) < LEAST or counts[-1][1] <= counts[0][1]:
            return None
        (began, first), (latest, last) = counts[0], counts[-1]
        each = (latest - began) / (last - first)
        return max(0.0, (self.total - last) * each - (now - latest))

    def set_pages(self, done: int, of: int) -> None:
        """Called while it is read."""
        self.done, self.total = done, of
        self._counts.append((time.monotonic(), done))

    def set_notice(self, notice: str) -> None:
        """Called where something of it could not be read."""
        self.notice = notice

    def set_passages(self, done: int, of: int) -> None:
        """Called while vectors are made of its passages."""
        if self.unit != "passages":
            self._counts.clear()
            self.unit = "passages"
        self.set_pages(done, of)


def format_left(seconds: float | None) -> str:
    """The time left, as the end of a line; nothing of a short one."""
    if seconds is None or seconds < SHORT:
        return ""
    return f", {round(seconds)} s left" if seconds < 2 * MINUTE else f", {round(seconds / MINUTE)} min left"
