"""One run: every contender in each round, in a process of its own, one alive at a time. Raw figures come out.

Knows orders and models; nothing of medians and tables.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.contenders import CONTENDERS, Task
from benchmarks.models import Model
from benchmarks.process import BrokenError, Process, start_contender, time_cli_ask
from benchmarks.texts import TextGenerator

WINDOW = 1024  # tokens of a chat, for everybody
PROMPT = 24  # tokens of a first message
FOLLOW = 12  # of the second message of a conversation
SHORT = 8  # of a reply whose first text alone is looked at
REMEMBERED = 8  # chats, after which memory is read
REPLIES = 4  # at the least, in each round of a load

Row = dict[str, Any]
Step = tuple[str, Callable[[Process], None]]


@dataclass(frozen=True)
class Plan:
    """What is measured, and how often. `python`: that of the throw-away environment, None where there is none."""

    contenders: tuple[str, ...]
    chats: tuple[int, ...]
    histories: tuple[int, ...]
    tokens: int
    rounds: int
    turns: int
    threads: int
    folder: Path
    python: str | None


@dataclass
class Run:
    """What was found: a row for each contender, model and round; `failures` by contender, model and measure."""

    plan: Plan
    rows: list[Row] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    def rounds(self, models: Sequence[Model]) -> Iterator[Row]:
        """Each row when it is there; there and back, so that what else the machine does meets each alike."""
        for number in range(self.plan.rounds):
            for model in models:
                for name in self.plan.contenders[:: -1 if number % 2 else 1]:
                    print(f"round {number + 1} of {self.plan.rounds}, {model.name}: {name}", file=sys.stderr)
                    row: Row = {"round": number, "model": model.name, "contender": name, "loads": {}, "turns": {}}
                    began = time.monotonic()
                    self._visit(row, model)
                    row["seconds"] = time.monotonic() - began
                    self.rows.append(row)
                    yield row

    def _visit(self, row: Row, model: Model) -> None:
        """Every measure; one that breaks the contender is left out from then on, and a new process does the next."""
        key, talk = f"{row['model']}/{row['contender']}", TextGenerator(row["round"])
        left = [step for step in self._steps(row, talk) if f"{key}/{step[0]}" not in self.failures]
        while left:
            try:
                self._through(row, model, talk, left)
            except BrokenError as error:
                self.failures[f"{key}/{left.pop(0)[0]}"] = str(error)
                if "start" not in row:  # it cannot even answer once
                    return
        if row["contender"].endswith("-chain"):
            self._ask(row, model, talk, key)

    def _through(self, row: Row, model: Model, talk: TextGenerator, left: list[Step]) -> None:
        """Do the steps, each taken off when it is done. Raises BrokenError at the one that is first then."""
        task = task_of(self.plan, model, row["contender"])
        python = self.plan.python if CONTENDERS[task.contender].stock else None
        with start_contender(task, python or sys.executable, variables(self.plan, model), self.plan.folder) as process:
            answer = process.order("first", text=talk.text(PROMPT), tokens=SHORT)
            row.setdefault("start", answer["at"] - (answer["began"] or process.began))
            row.setdefault("facts", answer["facts"])
            while left:
                left[0][1](process)
                left.pop(0)

    def _steps(self, row: Row, talk: TextGenerator) -> list[Step]:
        """The measures by name, in order."""
        loads = [(f"{chats} chats", self._load(row, talk, chats)) for chats in self.plan.chats]
        turns = [(f"{tokens} tokens of history", self._turns(row, talk, tokens)) for tokens in self.plan.histories]
        return [*loads, *turns]

    def _load(self, row: Row, talk: TextGenerator, chats: int) -> Callable[[Process], None]:
        def measure(process: Process) -> None:
            count = 1 + max(1, REPLIES // chats)
            warm, *waves = [[talk.text(PROMPT) for _ in range(chats)] for _ in range(count)]
            answer = process.order("load", warm=warm, waves=waves, tokens=self.plan.tokens)
            row["loads"][str(chats)] = answer["waves"]
            if chats == REMEMBERED:
                row["memory"] = psutil.Process(answer["process"]).memory_info().rss

        return measure

    def _turns(self, row: Row, talk: TextGenerator, history: int) -> Callable[[Process], None]:
        def turn(process: Process) -> Row:
            return process.order(
                "turn",
                cold=talk.text(history + SHORT + FOLLOW),
                history=talk.text(history),
                follow=talk.text(FOLLOW),
                tokens=SHORT,
            )

        def measure(process: Process) -> None:
            row["turns"][str(history)] = [turn(process) for _ in range(self.plan.turns)]

        return measure

    def _ask(self, row: Row, model: Model, talk: TextGenerator, key: str) -> None:
        backend = row["contender"].removesuffix("-chain")
        try:
            row["ask"] = time_cli_ask(backend, talk.text(PROMPT), variables(self.plan, model), self.plan.folder)
        except BrokenError as error:
            self.failures[f"{key}/cli.py ask"] = str(error)


def task_of(plan: Plan, model: Model, contender: str) -> Task:
    """What a contender is told of a model."""
    path = model.gguf if CONTENDERS[contender].form == "gguf" else model.folder
    return Task(contender, str(path), plan.threads, WINDOW, max(plan.chats), model.ends)


def variables(plan: Plan, model: Model) -> dict[str, str]:
    """The environment of every contender: the same threads and window, and no network."""
    return {
        "LLAMACPP_MODEL": str(model.gguf),
        "LLAMACPP_THREADS": str(plan.threads),
        "LLAMACPP_N_CTX": str(WINDOW),
        "GPT2_MODEL": str(model.folder),
        "OMP_NUM_THREADS": str(plan.threads),
        "HF_HUB_OFFLINE": "1",
        "LANGSMITH_TRACING": "false",
        "GGML_NO_BACKTRACE": "1",  # it would fork a debugger, which outlives what aborted
    }
