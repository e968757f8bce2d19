"""What the API costs: time to the first token and throughput, beside the same backend called in process by the chain.

A real server (`uvicorn api:app`) and the chain answer the same requests in turns, each in a process of its own, so that
both have the machine alike: one request after the other, then several at once; streamed, whole, and replies of a
single token, in which the price of a request stands alone. Each figure is the median of the rounds, each cost the
median of what a round of one side took more than the round beside it. Of the processor a side's use is told, the
engine's computing on all cores included, and what the client took beside it: where a core is short, these are what is
paid with.

Examples:
  python -m benchmarks.api
  python -m benchmarks.api --backend gpt2 --requests 4 --tokens 32
  python -m benchmarks.api --streams 50 --requests 50 --rounds 3 --json
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from typing import Any

import backends
from benchmarks.targets import Load, Round, Target, start_api, start_chain
from settings import SettingsError
from training.command import parser, require_positive, run

COST = 5.0  # milliseconds a request may cost
SHARE = 0.05  # of the throughput

Pair = tuple[Round, Round]  # of the chain and of the API


def run_rounds(first: Target, second: Target, load: Load, rounds: int) -> list[Pair]:
    """All rounds, there and back, so that what else the machine does meets each alike. Raises ValueError."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            of_second = second.measure(load)
            pairs.append((first.measure(load), of_second))
        else:
            pairs.append((first.measure(load), second.measure(load)))
    return pairs


def build_loads(args: argparse.Namespace) -> dict[str, Load]:
    """Each load by its name."""
    kinds = {"one token": (False, 1), "whole": (False, args.tokens), "streamed": (True, args.tokens)}
    return {
        f"{kind}, {streams} at once": Load(streamed, streams, max(args.requests, streams), tokens)
        for kind, (streamed, tokens) in kinds.items()
        for streams in dict.fromkeys((1, args.streams))
    }


def summarize(load: Load, pairs: list[Pair]) -> dict[str, Any]:
    """The figures of one load: chain, API, and the cost between them, in ms or tokens a second."""

    def both(each: Callable[[Round], float]) -> dict[str, float]:
        sides = zip(*pairs, strict=True)
        measured = {
            name: statistics.median(map(each, side)) for name, side in zip(("chain", "api"), sides, strict=True)
        }
        measured["cost"] = statistics.median(each(api) - each(chain) for chain, api in pairs)
        return {name: round(value, 2) for name, value in measured.items()}

    def speed(measured: Round) -> float:
        return load.requests * load.tokens / measured.seconds

    return {
        "first_ms": both(first_token_ms) if load.streamed else None,
        "request_ms": both(lambda measured: measured.seconds / load.requests * 1000),
        "tokens_per_second": both(speed),
        "throughput": round(statistics.median(speed(api) / speed(chain) for chain, api in pairs), 4),
        "processor_ms": both(lambda measured: measured.processor / load.requests * 1000),
        "client_ms": round(statistics.median(api.client / load.requests * 1000 for _, api in pairs), 2),
    }


def first_token_ms(measured: Round) -> float:
    """Milliseconds to the first token, the median of a round's requests."""
    return statistics.median(answer.first for answer in measured.answers if answer.first is not None) * 1000


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """The report as its JSON has it. Raises ValueError."""
    name = args.backend or backends.choose(backends.read_settings()).name
    if name is None:
        raise ValueError("no backend is ready here; name one with --backend")
    results, same = {}, True
    with start_chain(name) as alone, start_api(name, args.streams) as api:
        for label, load in build_loads(args).items():
            run_rounds(alone, api, load, 1)  # models are loaded and everything is warm
            pairs = run_rounds(alone, api, load, args.rounds)
            results[label] = summarize(load, pairs)
            same = same and all(
                one.answers[at].text == other.answers[at].text for one, other in pairs for at in range(load.requests)
            )
    return {
        "backend": name,
        "tokens": args.tokens,
        "rounds": args.rounds,
        "cores": os.cpu_count(),
        "same_words": same,
        "loads": results,
    }


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    yield (
        f"{report['backend']}, replies of {report['tokens']} tokens, medians of {report['rounds']} rounds, "
        f"{report['cores']} cores (goal: under {COST:g} ms a request, over {1 - SHARE:.0%} of the throughput)"
    )
    yield f"{'':<22}{'first token, ms':>24}{'ms a request':>24}{'tokens/s':>24}{'processor, ms a request':>32}"
    yield (
        f"{'':<22}"
        + f"{'chain':>8}{'API':>8}{'cost':>8}" * 2
        + (f"{'chain':>8}{'API':>8}{'share':>8}{'chain':>8}{'API':>8}{'cost':>8}{'client':>8}")
    )
    for label, row in report["loads"].items():
        yield f"{label:<22}" + "".join(_row(row))
    if not report["same_words"]:
        yield "The two did not say the same words: this backend does not keep to a seed."


def _row(row: dict[str, Any]) -> Iterator[str]:
    for name in ("first_ms", "request_ms"):
        yield "".join(f"{row[name][side]:>8.1f}" for side in ("chain", "api", "cost")) if row[name] else " " * 24
    speed, used = row["tokens_per_second"], row["processor_ms"]
    yield f"{speed['chain']:>8.0f}{speed['api']:>8.0f}{row['throughput']:>8.1%}"
    yield "".join(f"{used[side]:>8.1f}" for side in ("chain", "api", "cost")) + f"{row['client_ms']:>8.1f}"


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    require_positive(args, "requests", "streams", "tokens", "rounds")
    try:
        backends.check_name(args.backend, "--backend") if args.backend else None
        report = benchmark(args)
    except SettingsError as error:
        raise ValueError(str(error)) from error
    print(json.dumps(report, indent=2) if args.json else "\n".join(lines(report)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.api", __doc__)
    options.add_argument("--backend", help="as in LLM_BACKEND; it must know ignore_eos (the one that would answer)")
    options.add_argument("--requests", type=int, default=16, help="in a round, at least --streams (%(default)s)")
    options.add_argument("--streams", type=int, default=8, help="at once, beside one alone (%(default)s)")
    options.add_argument("--tokens", type=int, default=128, help="of each reply (%(default)s)")
    options.add_argument("--rounds", type=int, default=5, help="of each load and side (%(default)s)")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
