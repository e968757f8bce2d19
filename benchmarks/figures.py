"""What raw rows amount to: medians, spreads, percentiles, and ratios round by round. Knows rows; nothing of layout."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Value = Callable[[Row], float | None]  # a figure of one row; None where it was not measured


@dataclass(frozen=True)
class Figure:
    """A measure over several rounds: the median, the least and the most."""

    median: float
    least: float
    most: float


def figure(values: Iterable[float | None]) -> Figure | None:
    """The figure of the values that are there; None where there is none."""
    measured = [value for value in values if value is not None]
    return Figure(statistics.median(measured), min(measured), max(measured)) if measured else None


def percentile(values: Sequence[float], share: float) -> float:
    """Between the two values it lies between, in proportion, as numpy has it. `share`: 0 to 1."""
    ordered, at = sorted(values), share * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def rate(chats: int) -> Value:
    """Tokens a second of all chats together."""

    def value(row: Row) -> float | None:
        waves = row["loads"].get(str(chats))
        return sum(wave["tokens"] for wave in waves) / sum(wave["seconds"] for wave in waves) if waves else None

    return value


def first_token(chats: int, share: float = 0.5) -> Value:
    """Seconds to the first text, a percentile of a round's replies."""

    def value(row: Row) -> float | None:
        waves = row["loads"].get(str(chats))
        return percentile([one for wave in waves for one in wave["firsts"]], share) if waves else None

    return value


def turn_seconds(history: int, which: str) -> Value:
    """Seconds to the first text of a `cold` prompt or of a `second` turn, the median of a round's."""

    def value(row: Row) -> float | None:
        turns = row["turns"].get(str(history))
        return statistics.median(one[which] for one in turns) if turns else None

    return value


def row_value(name: str) -> Value:
    """A figure that a row has by itself: start, ask, memory."""
    return lambda row: row.get(name)


def rows_of(results: Row, model: str, contender: str) -> list[Row]:
    """In the order of rounds."""
    rows = [row for row in results["rows"] if row["model"] == model and row["contender"] == contender]
    return sorted(rows, key=lambda row: int(row["round"]))


def over_rounds(results: Row, model: str, contender: str, value: Value) -> Figure | None:
    """A figure over the rounds of a contender."""
    return figure(map(value, rows_of(results, model, contender)))


def ratios(rows: Sequence[Row], value: Value, other_rows: Sequence[Row], beside: Value) -> list[float]:
    """A ratio for each round in which both were measured."""
    others = {row["round"]: number for row in other_rows if (number := beside(row))}
    return [
        number / others[row["round"]] for row in rows if (number := value(row)) is not None and row["round"] in others
    ]
