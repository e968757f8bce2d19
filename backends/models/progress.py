"""How far a download is, how fast, and how long it will take. Knows bytes and a clock; no file and no network."""

import time
from collections import deque
from collections.abc import Callable

SPAN = 5.0  # seconds over which the speed is taken


class Progress:
    """The bytes of a download, read by anybody while one thread counts. `step` says what is being done."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.done, self.step = total, 0, "asking the hub"
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def restart(self, total: int, done: int) -> None:
        """Count from what is there already."""
        self.total, self.done = total, done
        self._seen.clear()

    def add(self, size: int) -> None:
        """Count what has just come; less than 0 for what has to come anew."""
        self.done += size
        now = self._clock()
        self._seen.append((now, self.done))
        while self._seen[0][0] < now - SPAN:
            self._seen.popleft()

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def speed(self) -> float | None:
        """Bytes a second, of late; None where nothing came yet."""
        seen = list(self._seen)
        if len(seen) < 2 or seen[-1][0] <= seen[0][0]:
            return None
        return max(0.0, (seen[-1][1] - seen[0][1]) / (max(self._clock(), seen[-1][0]) - seen[0][0]))

    @property
    def seconds_left(self) -> float | None:
        """None where nobody can tell."""
        speed = self.speed
        return (self.total - self.done) / speed if speed else None

    @property
    def label(self) -> str:
        """In one line: what is done, how much, how fast, how long."""
        parts = [f"{self.step}: {format_bytes(self.done)} of {format_bytes(self.total)}" if self.total else self.step]
        if (speed := self.speed) is not None and self.done < self.total:
            parts.append(f"{format_bytes(int(speed))}/s")
            if (left := self.seconds_left) is not None:
                parts.append(f"{format_seconds(left)} left")
        return ", ".join(parts)


def format_bytes(size: int) -> str:
    """A size as people read it, in powers of 1000, as the hub has it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            number = size / factor
            return f"{number:.1f} {unit}" if number < 100 else f"{number:,.0f} {unit}"
    return f"{size} B"


def format_parameters(count: int) -> str:
    """A number of weights as people say it; a dash where nobody tells."""
    if not count:
        return "-"
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"


def format_seconds(seconds: float) -> str:
    """A time as people read it."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"
