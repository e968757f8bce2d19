"""What a token of a streamed chat costs our process beside the engine, and how evenly many streams at once are served.

The API's server is asked for replies of equal length, by the backend of a server that sends words as fast as it can
(`openai`), or by a model in our process; the threads of an engine are left out, and what the server uses while nobody
asks is taken off. With another checkout beside it (`--beside`) both answer in turns, and the ratio is told.
Linux only. Knows processes, threads and the bytes of a stream; nothing of what the API does.

Examples:
  python -m benchmarks.streaming
  python -m benchmarks.streaming --beside ../before --rounds 3
  python -m benchmarks.streaming --backend llamacpp --streams 1 8
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import scripted_server, thread_names
from benchmarks.targets import KEY, ServerTarget, api_environment, free_port, parse_response, send, start_server
from settings import ROOT
from training.command import parser, require_positive, run

IDLE = 3.0  # seconds for which the server is looked at while nobody asks
ENGINE = "engine-"  # what the threads of an engine are called
TICKS = os.sysconf("SC_CLK_TCK")


class Streams(NamedTuple):
    """So many streams (`chats`) at once, each of `tokens`, which a scripted server sends at `rate` a second."""

    chats: int
    tokens: int
    rate: int


class Served(NamedTuple):
    """Processor time of our process beside the engine, in µs a token; the slowest stream's time by the median's."""

    cost: float
    spread: float
    seconds: float


class Side:
    """One checkout's server."""

    def __init__(self, port: int, target: ServerTarget) -> None:
        self._port, self._process = port, target.process.pid
        began, used = time.monotonic(), self._used()
        time.sleep(IDLE)
        self._idle = (self._used() - used) / (time.monotonic() - began)

    def measure(self, load: Streams) -> Served:
        """One round. Raises ValueError for a reply that is none."""
        began, used = time.perf_counter(), self._used()
        answers = asyncio.run(self._ask(load))
        seconds = time.perf_counter() - began
        cost = max(1 / TICKS, self._used() - used - self._idle * seconds)  # less than a tick cannot be told
        for answer in answers:
            check(answer, load)
        ends = [answer[-1][0] for answer in answers]
        return Served(cost / load.chats / load.tokens * 1e6, max(ends) / statistics.median(ends), seconds)

    async def _ask(self, load: Streams) -> list[list[tuple[float, bytes]]]:
        return await asyncio.gather(*(send(self._port, request(self._port, load)) for _ in range(load.chats)))

    def _used(self) -> float:
        spent = thread_names.seconds_by_thread(self._process, TICKS)
        return sum(seconds for name, seconds in spent.items() if not name.startswith(ENGINE))


def request(port: int, load: Streams) -> bytes:
    """A request for one stream: by its last message a scripted server knows what to say."""
    text = scripted_server.prompt_for(load.tokens, load.rate)
    payload = {"messages": [{"role": "user", "content": text}], "stream": True, "max_tokens": load.tokens}
    body = json.dumps({**payload, "ignore_eos": True, "stream_options": {"include_usage": True}}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {KEY}\r\n"
    return (
        f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )


def check(pieces: list[tuple[float, bytes]], load: Streams) -> None:
    """Raises ValueError where an answer is none, or has not as many tokens as were asked for."""
    status, body, _ = parse_response(pieces)
    rows = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    if status != 200 or not rows or "error" in rows[-1]:
        raise ValueError(f"the API answered {status}: {body[-300:].decode(errors='replace')}")
    if (came := rows[-1]["usage"]["completion_tokens"]) != load.tokens:
        raise ValueError(f"a reply has {came} tokens instead of {load.tokens}")


@contextmanager
def start_side(folder: Path, backend: str, address: str, streams: int) -> Iterator[Side]:
    """The API of a checkout. Raises ValueError where it does not start."""
    port = free_port()
    with tempfile.TemporaryDirectory() as data:
        own = api_environment(data, backend, streams) | {
            "OPENAI_BASE_URL": address,
            "OPENAI_API_KEY": scripted_server.KEY,
            "OPENAI_MODEL": scripted_server.MODEL,
        }
        command = ["uvicorn", "api:app", "--app-dir", str(folder), "--port", str(port), "--log-level", "warning"]
        names = [str(ROOT / "benchmarks" / "thread_names.py")]
        with start_server(command, port, own, root=folder, runner=names) as target:
            yield Side(port, target)


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """The report as its JSON has it. Raises ValueError."""
    folders = {"this": ROOT} | ({"before": args.beside.resolve()} if args.beside else {})
    loads = [Streams(count, args.tokens, args.rate) for count in args.streams]
    served: dict[str, dict[int, list[Served]]] = {name: {load.chats: [] for load in loads} for name in folders}
    with ExitStack() as stack:
        address = stack.enter_context(scripted_server.start_scripted())
        sides = {
            name: stack.enter_context(start_side(folder, args.backend, address, max(args.streams)))
            for name, folder in folders.items()
        }
        for turn in range(args.rounds + 1):  # the first one warms up
            for load in loads:
                for name in list(sides)[:: 1 if turn % 2 else -1]:
                    measured = sides[name].measure(load)
                    if turn:
                        served[name][load.chats].append(measured)
    return {
        "backend": args.backend,
        "tokens": args.tokens,
        "rounds": args.rounds,
        "cores": os.cpu_count(),
        "streams": {load.chats: summarize({name: each[load.chats] for name, each in served.items()}) for load in loads},
    }


def summarize(served: dict[str, list[Served]]) -> dict[str, Any]:
    """Medians of the rounds; `ratio` is the median of the rounds' own, this checkout by the other."""
    row: dict[str, Any] = {
        name: {
            "us_a_token": round(statistics.median(each.cost for each in rounds), 1),
            "slowest_by_median": round(statistics.median(each.spread for each in rounds), 2),
            "seconds": round(statistics.median(each.seconds for each in rounds), 2),
        }
        for name, rounds in served.items()
    }
    if "before" in served:
        pairs = zip(served["this"], served["before"], strict=True)
        row["ratio"] = round(statistics.median(this.cost / before.cost for this, before in pairs), 3)
    return row


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    yield (
        f"{report['backend']}, replies of {report['tokens']} tokens, medians of {report['rounds']} rounds, "
        f"{report['cores']} cores"
    )
    yield f"{'streams':>8}  {'':<8}{'µs a token':>12}{'slowest/median':>16}{'seconds':>10}"
    for count, row in report["streams"].items():
        for name in ("this", "before"):
            if name in row:
                each = row[name]
                yield (
                    f"{count:>8}  {name:<8}{each['us_a_token']:>12.1f}{each['slowest_by_median']:>16.2f}"
                    f"{each['seconds']:>10.2f}"
                )
        if "ratio" in row:
            yield f"{'':>8}  {'ratio':<8}{row['ratio']:>12.3f}"


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    require_positive(args, "tokens", "rounds", "rate")
    report = benchmark(args)
    print(json.dumps(report, indent=2) if args.json else "\n".join(lines(report)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option is wrong."""
    options = parser("benchmarks.streaming", __doc__)
    options.add_argument(
        "--backend", default="openai", help="openai: a scripted server; or llamacpp, gpt2 (%(default)s)"
    )
    options.add_argument("--streams", type=int, nargs="+", default=[1, 8, 200], help="at once (1 8 200)")
    options.add_argument("--tokens", type=int, default=200, help="of each reply (%(default)s)")
    options.add_argument("--rate", type=int, default=1_000_000, help="words a second of the scripted server (at once)")
    options.add_argument("--rounds", type=int, default=3, help="of each load and side (%(default)s)")
    options.add_argument("--beside", type=Path, help="another checkout, measured in turns with this one")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
