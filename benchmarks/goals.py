"""What we aim at, as ratios of one run, and whether it was held. Knows figures; nothing of layout."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.figures import Figure, Row, Value, figure, first_token, rate, ratios, row_value, rows_of, turn_seconds
from benchmarks.machine import is_same_build

MEGABYTE = 10**6


@dataclass(frozen=True)
class Goal:
    """`value` of `contender`, divided by `beside` of `other` where there is one, is at least or at most `aim`."""

    what: str
    aim: float
    contender: str
    value: Value
    other: str = ""
    beside: Value | None = None
    most: bool = False
    models: tuple[str, ...] = ("124M", "shipped")  # the first that was measured
    unit: str = ""

    @property
    def aimed(self) -> str:
        """The aim in words, with its unit."""
        return f"{self.aim:g}{self.unit} or {'less' if self.most else 'more'}"


@dataclass(frozen=True)
class Verdict:
    """`figure` is None where there is no figure, and `reason` says why."""

    goal: Goal
    model: str
    figure: Figure | None
    reason: str = ""

    @property
    def held(self) -> bool | None:
        """None where there is no figure."""
        if self.figure is None:
            return None
        return self.figure.median <= self.goal.aim if self.goal.most else self.figure.median >= self.goal.aim


def megabytes(row: Row) -> float | None:
    """Resident memory in MB; None where it was not read."""
    return row["memory"] / MEGABYTE if "memory" in row else None


SERVER, LLAMA, GPT2, SHIPPED = "llama-server", "llamacpp-chain", "gpt2-chain", ("shipped",)
GOALS = (
    Goal("llamacpp through the chain against llama-server, 1 chat: tokens/s", 1.05, LLAMA, rate(1), SERVER, rate(1)),
    Goal("the same, 8 chats: total tokens/s", 1.10, LLAMA, rate(8), SERVER, rate(8)),
    Goal("the same, 8 chats: time to first token, 95th percentile", 1.0, LLAMA, first_token(8, 0.95), SERVER,
         first_token(8, 0.95), most=True),
    Goal("llamacpp, full chain against the engine alone, 1 chat: tokens/s", 0.97, LLAMA, rate(1), "llamacpp-engine",
         rate(1)),
    Goal("the same, 8 chats: total tokens/s", 0.97, LLAMA, rate(8), "llamacpp-engine", rate(8)),
    Goal("gpt2, full chain against the engine alone, 1 chat: tokens/s", 0.97, GPT2, rate(1), "gpt2-engine", rate(1)),
    Goal("the same, 8 chats: total tokens/s", 0.97, GPT2, rate(8), "gpt2-engine", rate(8)),
    Goal("llamacpp, second turn with 800 tokens of history against a cold prompt: time to first token", 0.25, LLAMA,
         turn_seconds(800, "second"), LLAMA, turn_seconds(800, "cold"), most=True),
    Goal("gpt2, the same", 0.25, GPT2, turn_seconds(800, "second"), GPT2, turn_seconds(800, "cold"), most=True),
    Goal("gpt2 through the chain against stock ChatHuggingFace, 1 chat: tokens/s", 1.3, GPT2, rate(1),
         "ChatHuggingFace", rate(1)),
    Goal("gpt2, 8 chats against one at a time: total tokens/s", 3.0, GPT2, rate(8), GPT2, rate(1)),
    Goal("llamacpp, `cli.py ask`: start to first token", 2.0, LLAMA, row_value("ask"), most=True, models=SHIPPED,
         unit=" s"),
    Goal("gpt2, the same", 5.0, GPT2, row_value("ask"), most=True, models=SHIPPED, unit=" s"),
    Goal("llamacpp, resident memory after 8 chats", 250, LLAMA, megabytes, most=True, models=SHIPPED, unit=" MB"),
    Goal("gpt2, the same", 600, GPT2, megabytes, most=True, models=SHIPPED, unit=" MB"),
)  # fmt: skip


def verdicts(results: Row) -> Iterator[Verdict]:
    """The verdict on each goal, in their order."""
    for goal in GOALS:
        measured = [model for model in goal.models if model in results["models"]]
        if measured:
            yield judge(goal, measured[0], results)
        else:
            yield Verdict(goal, goal.models[0], None, f"{goal.models[0]} was not measured")


def judge(goal: Goal, model: str, results: Row) -> Verdict:
    """One goal over the rounds of a model. Two builds of llama.cpp that differ give no ratio."""
    mine, theirs = rows_of(results, model, goal.contender), rows_of(results, model, goal.other)
    if goal.beside is None:
        measured = figure(map(goal.value, mine))
    elif goal.other == SERVER and (reason := build_difference(mine, theirs)):
        return Verdict(goal, model, None, reason)
    else:
        measured = figure(ratios(mine, goal.value, theirs, goal.beside))
    return Verdict(goal, model, measured, "" if measured else "not measured in the same round")


def build_difference(mine: list[Row], theirs: list[Row]) -> str:
    """Why the builds of two contenders cannot be compared; empty where they can, and where one was not measured."""
    infos = [next((row["facts"].get("system_info", "") for row in rows if "facts" in row), None)
             for rows in (mine, theirs)]  # fmt: skip
    if None in infos or is_same_build(infos[0] or "", infos[1] or ""):
        return ""
    return "no ratio: the two builds of llama.cpp differ"
