"""The table that decides which model answers where nobody chose one: how many replies count, of each contender.

Contenders: the GPT-2 that ships, a base model through our backend, the same with an adapter, and the base through
`llama-server` with its own defaults (--server). Parts: openings, facts, given and found (questions
about texts, with the right passage and with what our search finds) and personas. Every one is asked with each seed,
eight chats together, 48 tokens a reply.

Examples:
  python -m benchmarks.answers
  python -m benchmarks.answers --base base.gguf --adapter lora.gguf --server http://127.0.0.1:8080/v1
  python -m benchmarks.answers --only base --parts facts given --options temperature=0.2 temperature=0.8,min_p=0.05
  python -m benchmarks.answers --only base --parts found --top 3 --seeds 1 --replies replies.jsonl --json
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from langchain_core.exceptions import ModelError

from benchmarks.answers.contender import WINDOW, Contender, asking
from benchmarks.answers.parts import PARTS
from benchmarks.answers.score import Score, count, measure, read_log, table
from benchmarks.models import shipped
from documents.search import TOP_K
from training.command import parser, run

NAMES = ("shipped", "base", "taught", "server")


def contenders(arguments: argparse.Namespace) -> Iterator[Contender]:
    """Those that were asked for and that there are files for. Raises OSError, ValueError."""
    return (each for each in _all(arguments) if each.name.split(",")[0] in (arguments.only or NAMES))


def _all(arguments: argparse.Namespace) -> Iterator[Contender]:
    base, adapter = arguments.base, arguments.adapter
    for options in arguments.options or [{}]:
        suffix = f", {json.dumps(options)}" if options else ""
        yield Contender("shipped" + suffix, str(shipped().gguf), options=options, window=1024)
        if base is not None:
            yield Contender("base" + suffix, base, options=options, window=arguments.window)
        if base is not None and adapter is not None:
            yield Contender("taught" + suffix, base, adapter, options=options, window=arguments.window)
    if arguments.server is not None:
        yield Contender("server", url=arguments.server)


def scores(arguments: argparse.Namespace) -> Iterator[Score]:
    """The score of each contender in each part, as they come. Raises ModelError kinds, OSError, ValueError."""
    parts = [list(PARTS[part](arguments.top))[:: arguments.every] for part in arguments.parts or PARTS]
    seeds = range(1, arguments.seeds + 1)
    with ExitStack() as stack:
        log = stack.enter_context(open(arguments.replies, "a", encoding="utf-8")) if arguments.replies else None
        for contender in contenders(arguments):
            with asking(contender) as ask:
                yield from (score for cases in parts for score in measure(contender.name, ask, cases, seeds, log))


def _measured(arguments: argparse.Namespace) -> Iterator[Score]:
    if not arguments.done:
        yield from scores(arguments)
    yield from count(row for path in arguments.done for row in read_log(path))


def parse_options(text: str) -> dict[str, float]:
    """`temperature=0.7,top_k=40` to its parts. Raises ArgumentTypeError."""
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {name: int(value) if name in ("top_k", "repeat_last_n") else float(value) for name, value in pairs}
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: write name=number,name=number") from error


def work(arguments: argparse.Namespace) -> None:
    """Measure and print. Raises OSError, ValueError."""
    done = []
    try:
        for score in _measured(arguments):
            done.append(score)
            if arguments.json:
                print(json.dumps(score.__dict__), flush=True)
            else:
                print(f"{score.contender}, {score.part}: {score.right} of {score.asked}", file=sys.stderr, flush=True)
    except ModelError as error:
        raise ValueError(str(error)) from error
    if not arguments.json:
        print("\n".join(table(done)))


def add_contenders(options: argparse.ArgumentParser) -> None:
    """Add what says who is asked."""
    options.add_argument("--base", help="a GGUF file")
    options.add_argument("--adapter", help="a LoRA adapter of it, a GGUF file as well")
    options.add_argument("--server", help="the /v1 of a llama-server with the same base, started with its defaults")
    options.add_argument("--only", nargs="+", choices=NAMES, help="these contenders alone")
    options.add_argument("--options", type=parse_options, nargs="+", help="sampling options, a row for each set")
    options.add_argument("--window", type=int, default=WINDOW, help="of the base, in tokens (%(default)s)")


def main(argv: list[str] | None = None) -> int:
    """The exit status."""
    options = parser("benchmarks.answers", __doc__)
    add_contenders(options)
    options.add_argument("--parts", nargs="+", choices=tuple(PARTS), help="these parts alone")
    options.add_argument("--top", type=int, default=TOP_K, help="passages of `found` (%(default)s)")
    options.add_argument("--seeds", type=int, default=3, help="seeds of every question (%(default)s)")
    options.add_argument("--every", type=int, default=1, help="only every so many of the questions")
    options.add_argument("--replies", metavar="FILE", help="add each reply, and whether it counts, to this file")
    options.add_argument(
        "--from", dest="done", type=Path, nargs="+", default=[], help="the table of such files again, asking nobody"
    )
    options.add_argument("--json", action="store_true", help="print one JSON object a line instead of the table")
    return run("answers", lambda: work(options.parse_args(argv)))


if __name__ == "__main__":
    sys.exit(main())
