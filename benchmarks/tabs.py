"""What an open tab costs the process that serves the page: memory, processor, and how late words come to it.

The page runs as `python cli.py serve` starts it, on a new SQLite file, with a scripted server in place of a model; the
tabs speak Streamlit's protocol as a browser does, each with a cookie of its own. Each number of tabs meets a new
process, in which a first tab has come and gone: all open the page, have one reply, rest with it, watch a long reply of
their own, and go away while it is written. The processor's time is the process's own, so that what else the machine
does hardly shows in it; the delays are by the clock, from when the scripted server says a word to when a tab has it.
The same tabs measure a page that looks again and again (`--root` of an older checkout).

Examples:
  python -m benchmarks.tabs
  python -m benchmarks.tabs --tabs 5 10 20 40 --seconds 20
  python -m benchmarks.tabs --tabs 100 --after 150 --json
  python -m benchmarks.tabs --tabs 20 --each 10 --root ../before
  python -m benchmarks.tabs --tabs 100 --idle
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks.machine import cores
from benchmarks.tab_load import PATIENCE, measure
from settings import ROOT
from training.command import parser, run

FULL = 75  # percent of a core at which a process is taken for full
LOADS = ("idle", "watching")
LATE = 0.3  # seconds after which a word is late


def capacity(rows: list[dict[str, Any]], load: str) -> dict[str, Any]:
    """Percent of a core for each tab of the largest load that came in time, and how many tabs did and did not."""
    held = [
        row
        for row in rows
        if row[load].get("following", row["tabs"]) == row["tabs"] and _delay(row[load]) <= LATE * 1000
    ]
    late = [row["tabs"] for row in rows if row not in held]
    best = max(held or rows, key=lambda row: int(row["tabs"]))
    return {
        "percent_per_tab": round(best[load]["percent"] / best["tabs"], 3),
        "in_time": best["tabs"] if held else 0,
        "late": min(late, default=None),
    }


def _delay(row: dict[str, float]) -> float:
    """Milliseconds within which most words came; where none is said, 0, but of a process that is full."""
    return row.get("p95_ms", 0.0 if row["percent"] < FULL else math.inf)


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """The whole report. Raises ValueError, OSError."""
    return report([measure(count, args) for count in args.tabs], args)


def report(rows: list[dict[str, Any]], args: argparse.Namespace) -> dict[str, Any]:
    """What the rows say together."""
    largest = max(rows, key=lambda row: int(row["tabs"]))
    grown = {
        name: round((largest["memory"][name] - largest["memory"]["before"]) / largest["tabs"], 2)
        for name in ("open", "talked", "watching")
        if name in largest["memory"]
    }
    loads = {load: capacity(rows, load) for load in LOADS if load in largest}
    return {
        "cores": cores(),
        "seconds": args.seconds,
        "rate": args.rate,
        "rows": rows,
        "mb_per_tab": grown,
        **loads,
    }


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    yield (
        f"Tabs of one process, each with a conversation of its own; replies of {report['rate']} tokens/s, "
        f"{report['seconds']:g} s each, {report['cores']} cores (a word is late after {LATE * 1000:g} ms)"
    )
    yield f"{'':<6}{'resident, MB':>40}{'idle':>34}{'watching':>34}{'away':>8}"
    names = "".join(f"{name:>8}" for name in ("before", "open", "talked", "watch", "closed"))
    yield f"{'tabs':<6}{names}" + f"{'core':>8}{'median':>9}{'p95 ms':>9}{'each/s':>8}" * 2 + f"{'core':>8}"
    for row in report["rows"]:
        resident = "".join(f"{value:>8.0f}" for value in row["memory"].values())
        loads = "".join("".join(_load(row[load])) for load in LOADS if load in row)
        away = f"{row['away']['percent']:>7.0f}%" if "away" in row else ""
        yield f"{row['tabs']:<6}{resident}{loads}{away}"
        if (seen := row.get("watching", {}).get("following", row["tabs"])) < row["tabs"]:
            yield f"{'':<6}only {seen} of {row['tabs']} had drawn their reply after {PATIENCE:g} s"
    yield "A tab takes " + ", ".join(f"{value:.2f} MB {_STATE[name]}" for name, value in report["mb_per_tab"].items())
    for load in filter(report.__contains__, LOADS):
        metrics = report[load]
        late = f", late with {metrics['late']}" if metrics["late"] else ""
        yield f"{load}: {metrics['percent_per_tab']:.2f} % of a core a tab; in time with {metrics['in_time']}{late}"


_STATE = {"open": "when it is open", "talked": "with a conversation", "watching": "while it watches"}


def _load(row: dict[str, float]) -> Iterator[str]:
    yield f"{row['percent']:>7.1f}%"
    yield "".join(f"{row[name]:>9.0f}" if name in row else f"{'-':>9}" for name in ("median_ms", "p95_ms"))
    yield f"{row['answers_per_second']:>8.1f}"


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    checks = [
        ("tabs", min(args.tabs), 1),
        ("each", args.each, 1),
        ("rate", args.rate, 1),
        ("seconds", args.seconds, 0.1),
        ("after", args.after, 0),
    ]
    for name, value, least in checks:
        if value < least:
            raise ValueError(f"--{name} {value:g}: {least:g} or more")
    try:
        result = benchmark(args)
    except* httpx.HTTPError as errors:
        raise ValueError(f"the page did not answer: {errors.exceptions[0]}") from errors
    except* ValueError as errors:
        raise ValueError(str(errors.exceptions[0])) from errors
    print(json.dumps(result, indent=2) if args.json else "\n".join(lines(result)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.tabs", __doc__)
    options.add_argument(
        "--tabs", type=int, nargs="+", default=[5, 10, 20, 40], help="so many, one after the other (%(default)s)"
    )
    options.add_argument("--each", type=int, default=1, help="tabs that watch the reply of each of them (%(default)s)")
    options.add_argument("--root", type=Path, default=ROOT, help="the checkout whose page is measured (this one)")
    options.add_argument("--seconds", type=float, default=10, help="of each measure (%(default)s)")
    options.add_argument("--rate", type=int, default=20, help="tokens a second of a reply (%(default)s)")
    options.add_argument(
        "--after",
        type=float,
        default=0,
        help="seconds between the tabs' end and the last look at the"
        " memory; Streamlit keeps a closed tab's state for 120 (%(default)s)",
    )
    options.add_argument("--idle", action="store_true", help="measure tabs that rest, and none that watch")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
