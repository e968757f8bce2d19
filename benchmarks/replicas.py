"""What Ray Serve costs and brings: two replicas beside one, and both beside the plain server, asked alike.

Three servers stand side by side, each started as its users do: `uvicorn api:app`, and `python -m deploy.ray_serve` with
one replica and with two, each on a Ray of its own. The cores are shared out alike: with two replicas each has half of
the threads. They answer the same streams in turns, there and back; each figure is the median of the rounds, each ratio
the median of ratios within a round. On one machine two replicas compute with the same cores: what they bring beyond
that shows on several.

Examples:
  python -m benchmarks.replicas
  python -m benchmarks.replicas --backend gpt2 --streams 1 16 --tokens 64
  python -m benchmarks.replicas --rounds 3 --json
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import backends
from benchmarks.machine import cores
from benchmarks.postgresql import find_binaries, start_postgresql
from benchmarks.targets import KEY, Load, Round, ServerTarget, free_port, start_api, start_server
from settings import SettingsError
from training.command import parser, require_positive, run

THREADS = {"llamacpp": "LLAMACPP_THREADS", "gpt2": "OMP_NUM_THREADS"}
TARGETS = ("plain", "one", "two")
RATIOS = {"one / plain": ("one", "plain"), "two / one": ("two", "one"), "two / plain": ("two", "plain")}


@contextmanager
def start_ray(backend: str, replicas: int, streams: int, database: str) -> Iterator[ServerTarget]:
    """The API on a Ray of its own, with so many replicas. Raises ValueError where it ends."""
    port, threads = free_port(), max(1, cores() // replicas)
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:  # a socket's path has 107 characters at most
        own = {
            "LLM_BACKEND": backend,
            "API_KEYS": KEY,
            "MAX_QUEUE": str(max(64, streams)),
            "PORT": str(port),
            "DATABASE_URL": database,
            "COOKIE_SECRET": KEY * 4,
            "RAY_TMPDIR": folder,
            "RAY_CPUS": "0",
            "RAY_MIN_REPLICAS": str(replicas),
            "RAY_MAX_REPLICAS": str(replicas),
            "RAY_ADDRESS": "",
            **({THREADS[backend]: str(threads)} if backend in THREADS else {}),
        }
        with start_server(["deploy.ray_serve"], port, own) as target:
            yield target


@contextmanager
def start_targets(backend: str, streams: int) -> Iterator[dict[str, ServerTarget]]:
    """All three. Raises ValueError where one does not start."""
    binaries = find_binaries()
    if binaries is None:
        raise ValueError("two replicas need PostgreSQL, which is not installed: apt-get install postgresql")
    with ExitStack() as stack:
        database = stack.enter_context(stack.enter_context(start_postgresql(binaries)).database())
        yield {
            "plain": stack.enter_context(start_api(backend, streams)),
            "one": stack.enter_context(start_ray(backend, 1, streams, database)),
            "two": stack.enter_context(start_ray(backend, 2, streams, database)),
        }


def run_rounds(targets: dict[str, ServerTarget], load: Load, count: int) -> list[dict[str, Round]]:
    """There and back, so that what else the machine does meets each alike."""
    turns = []
    for number in range(count):
        names = TARGETS if number % 2 == 0 else TARGETS[::-1]
        turns.append({name: targets[name].measure(load) for name in names})
    return turns


def summarize(load: Load, turns: list[dict[str, Round]]) -> dict[str, Any]:
    """The figures of one load: each target's, and the ratios of their tokens a second."""

    def middle(name: str, work: float) -> float:
        return round(statistics.median(work / turn[name].seconds for turn in turns), 2)

    def first(name: str) -> float:
        seconds = [one.first for turn in turns for one in turn[name].answers if one.first is not None]
        return round(statistics.median(seconds) * 1000, 1)

    return {
        "tokens_per_second": {name: middle(name, load.requests * load.tokens) for name in TARGETS},
        "requests_per_second": {name: middle(name, load.requests) for name in TARGETS},
        "first_ms": {name: first(name) for name in TARGETS},
        "ratios": {
            label: round(statistics.median(turn[beside].seconds / turn[one].seconds for turn in turns), 3)
            for label, (one, beside) in RATIOS.items()
        },
    }


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """The whole report. Raises ValueError."""
    name = args.backend or backends.choose(backends.read_settings()).name
    if name is None:
        raise ValueError("no backend is ready here; name one with --backend")
    loads = {}
    with start_targets(name, max(args.streams)) as targets:
        for streams in dict.fromkeys(args.streams):
            load = Load(True, streams, max(args.requests, streams), args.tokens)
            run_rounds(targets, load, 1)  # models are loaded and everything is warm
            loads[str(streams)] = summarize(load, run_rounds(targets, load, args.rounds))
    return {"backend": name, "tokens": args.tokens, "rounds": args.rounds, "cores": cores(), "loads": loads}


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    yield (
        f"{report['backend']}, streams of {report['tokens']} tokens, medians of {report['rounds']} rounds, "
        f"{report['cores']} cores; plain: uvicorn, one and two: replicas on Ray Serve"
    )
    yield f"{'':<10}{'tokens/s':>24}{'requests/s':>24}{'first token, ms':>24}" + "".join(f"{r:>13}" for r in RATIOS)
    yield f"{'at once':<10}" + "".join(f"{name:>8}" for name in TARGETS) * 3
    for streams, row in report["loads"].items():
        kinds = (("tokens_per_second", ".0f"), ("requests_per_second", ".1f"), ("first_ms", ".0f"))
        cells = "".join(f"{row[kind][name]:>8{form}}" for kind, form in kinds for name in TARGETS)
        yield f"{streams:<10}{cells}" + "".join(f"{row['ratios'][label]:>13.2f}" for label in RATIOS)


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    require_positive(args, "requests", "tokens", "rounds", "streams")
    try:
        backends.check_name(args.backend, "--backend") if args.backend else None
        report = benchmark(args)
    except SettingsError as error:
        raise ValueError(str(error)) from error
    print(json.dumps(report, indent=2) if args.json else "\n".join(lines(report)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.replicas", __doc__)
    options.add_argument("--backend", help="as in LLM_BACKEND; it must know ignore_eos (the one that would answer)")
    options.add_argument("--requests", type=int, default=32, help="in a round, at least the streams (%(default)s)")
    options.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32], help="at once (%(default)s)")
    options.add_argument("--tokens", type=int, default=128, help="of each reply (%(default)s)")
    options.add_argument("--rounds", type=int, default=5, help="of each load and side (%(default)s)")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
