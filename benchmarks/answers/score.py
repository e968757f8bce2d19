"""How many replies count: every case is talked through with every seed, several at a time, each turn judged.

Knows cases and what asks; no model and no file.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from benchmarks.answers.case import Case
from benchmarks.answers.contender import TOGETHER, Ask

Row = dict[str, Any]  # contender, part, seed, message, reply, and whether it counts


@dataclass(frozen=True)
class Score:
    """Replies of a contender that count, of so many, in a part; `spread` is the standard deviation over the seeds."""

    contender: str
    part: str
    right: int
    asked: int
    spread: float


def talk(case: Case, ask: Ask, seed: int) -> list[str]:
    """The replies of a conversation, each to what was said before. Raises what asking raises."""
    replies: list[str] = []
    for _ in case.turns:
        replies.append(ask(case.messages(replies), seed))
    return replies


def measure(
    contender: str, ask: Ask, cases: Sequence[Case], seeds: Sequence[int], log: TextIO | None = None
) -> list[Score]:
    """The score of each part, in the order of the cases. Each reply goes to `log`. Raises what asking raises."""
    tasks = [(seed, case) for seed in seeds for case in cases]
    with ThreadPoolExecutor(TOGETHER) as pool:
        talks = list(pool.map(lambda task: talk(task[1], ask, task[0]), tasks))
    rows = [
        row for (seed, case), replies in zip(tasks, talks, strict=True) for row in _rows(contender, seed, case, replies)
    ]
    if log is not None:
        log.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return count(rows)


def read_log(path: Path) -> list[Row]:
    """The replies that a run left in a file. Raises OSError, ValueError."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def count(rows: Iterable[Row]) -> list[Score]:
    """The score of each contender in each part, in the order of the replies."""
    by_seed: dict[tuple[str, str], dict[int, list[bool]]] = {}
    for row in rows:
        seeds = by_seed.setdefault((row["contender"], row["part"]), {})
        seeds.setdefault(row["seed"], []).append(row["counts"])
    return [_score(*key, list(seeds.values())) for key, seeds in by_seed.items()]


def table(scores: Sequence[Score]) -> Iterable[str]:
    """The lines of a table: a row for each contender, a column for each part, in shares and spreads."""
    parts = list(dict.fromkeys(score.part for score in scores))
    yield "| | " + " | ".join(parts) + " |"
    yield "|---" * (len(parts) + 1) + "|"
    for contender in dict.fromkeys(score.contender for score in scores):
        own = {score.part: score for score in scores if score.contender == contender}
        yield f"| {contender} | " + " | ".join(_cell(own.get(part)) for part in parts) + " |"


def _score(contender: str, part: str, seeds: Sequence[Sequence[bool]]) -> Score:
    right = list(map(sum, seeds))
    return Score(contender, part, sum(right), sum(map(len, seeds)), statistics.pstdev(right))


def _cell(score: Score | None) -> str:
    return "" if score is None else f"{score.right} of {score.asked} (±{score.spread:.1f})"


def _rows(contender: str, seed: int, case: Case, replies: Sequence[str]) -> Iterable[Row]:
    for turn, reply in zip(case.turns, replies, strict=True):
        row = {"contender": contender, "part": case.part, "seed": seed, "message": turn.message}
        yield {**row, "reply": reply, "counts": turn.judge(reply)}
