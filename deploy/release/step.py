"""Steps that run one after the other until one refuses, and the table of how they ended. Knows no step by name."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Refusal(Exception):
    """What must not be released as it is; `remedy` says what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


class Skipped(Exception):
    """A step that cannot be done on this machine; the text says why."""


@dataclass
class Release:
    """What the steps look at: a working tree, a folder for what they make, and where the list of licences goes."""

    root: Path
    folder: Path
    output: Path | None = None


class Step(NamedTuple):
    """One thing to look at; `check` answers with one line."""

    name: str
    meaning: str
    check: Callable[[Release], str]


class Done(NamedTuple):
    """How a step ended: `outcome` is ok, skipped, refused or not reached."""

    name: str
    outcome: str
    said: str = ""
    seconds: float = 0.0


def _done(step: Step, release: Release) -> Done:
    begun = time.monotonic()
    try:
        outcome, said = "ok", step.check(release)
    except Skipped as reason:
        outcome, said = "skipped", str(reason)
    except Refusal as refusal:
        outcome, said = "refused", f"{refusal}\nRemedy: {refusal.remedy}"
    return Done(step.name, outcome, said, time.monotonic() - begun)


def walk(steps: Sequence[Step], release: Release) -> Iterator[Done]:
    """Each step's end, told while it goes; after a refusal the others are not reached."""
    refused = False
    for step in steps:
        if refused:
            yield Done(step.name, "not reached")
            continue
        print(f"\n{step.name}: {step.meaning}…", flush=True)
        done = _done(step, release)
        print(f"{step.name}: {done.outcome}: {done.said}", flush=True)
        refused = done.outcome == "refused"
        yield done


def closing(ends: Sequence[Done]) -> None:
    """Print the table."""
    table = Table("step", "", "seconds", "what it found")
    for end in ends:
        seconds = f"{end.seconds:.1f}" if end.outcome != "not reached" else ""
        table.add_row(end.name, end.outcome, seconds, end.said)
    console = Console(markup=False, highlight=False)
    console.print()
    console.print(table, markup=False)
