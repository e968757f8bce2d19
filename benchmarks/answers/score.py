"""How many replies count: every case is talked through with every seed, several at a time, each turn judged.

Knows cases and what asks; no model and no file.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TextIO

from benchmarks.answers.case import Case
from benchmarks.answers.contender import TOGETHER, Ask


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
    right: dict[str, dict[int, int]] = {}
    asked: dict[str, int] = {}
    for (seed, case), replies in zip(tasks, talks, strict=True):
        counts = [turn.judge(reply) for turn, reply in zip(case.turns, replies, strict=True)]
        by_seed = right.setdefault(case.part, {})
        by_seed[seed] = by_seed.get(seed, 0) + sum(counts)
        asked[case.part] = asked.get(case.part, 0) + len(counts)
        if log is not None:
            log.writelines(_line(contender, seed, case, replies, counts))
    return [_score(contender, part, list(by_seed.values()), asked[part]) for part, by_seed in right.items()]


def table(scores: Sequence[Score]) -> Iterable[str]:
    """The lines of a table: a row for each contender, a column for each part, in shares and spreads."""
    parts = list(dict.fromkeys(score.part for score in scores))
    yield "| | " + " | ".join(parts) + " |"
    yield "|---" * (len(parts) + 1) + "|"
    for contender in dict.fromkeys(score.contender for score in scores):
        own = {score.part: score for score in scores if score.contender == contender}
        yield f"| {contender} | " + " | ".join(_cell(own.get(part)) for part in parts) + " |"


def _score(contender: str, part: str, right: Sequence[int], asked: int) -> Score:
    return Score(contender, part, sum(right), asked, statistics.pstdev(right))


def _cell(score: Score | None) -> str:
    return "" if score is None else f"{score.right} of {score.asked} (±{score.spread:.1f})"


def _line(contender: str, seed: int, case: Case, replies: Sequence[str], counts: Sequence[bool]) -> Iterable[str]:
    for turn, reply, counted in zip(case.turns, replies, counts, strict=True):
        row = {"contender": contender, "part": case.part, "seed": seed, "message": turn.message}
        yield json.dumps({**row, "reply": reply, "counts": counted}, ensure_ascii=False) + "\n"
