"""How many notes PostgreSQL passes between processes in a second, as watched replies need them. Knows no model.

Writers send as `conversations/replies/relay/notifier.py` does, each from a connection of its own, and one listener
hears all of them; it is over when the last note was heard. A watched reply is 25 notes a second; a process sends
those of all its replies in one transaction, so "one note a transaction" is the dearest case, one watched reply a
process. The delay is that of a single note with nothing else under way. PostgreSQL is a new server in a temporary
folder that never flushes to disk, or the database that --url names, in which nothing is written.

Examples:
  python -m benchmarks.broadcast
  python -m benchmarks.broadcast --writers 8 --seconds 5 --json
  python -m benchmarks.broadcast --url postgresql+psycopg://me@localhost/name
"""

import argparse
import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from benchmarks import postgresql
from conversations.replies import NOTIFY, channel_of
from training.command import parser, run

CHANNEL = channel_of("benchmark")
NOTE = json.dumps({"piece": 12345678, "by": CHANNEL, "at": 1234, "text": "a few words of text "})
EACH = 25  # notes in a transaction: as many replies of one process are watched
RATE = 25  # notes a second of one watched reply


def send(engine: Engine, notes: int) -> None:
    """Send so many notes in one transaction."""
    with engine.connect() as connection:
        connection.execute(NOTIFY, {"channels": [CHANNEL] * notes, "payloads": [f"{NOTE}{n}" for n in range(notes)]})


class Listener:
    """Hears all notes, from its own thread."""

    def __init__(self, engine: Engine) -> None:
        _, arguments = engine.dialect.create_connect_args(engine.url)
        self.connection = psycopg.connect(**arguments, autocommit=True)
        self.connection.execute(f'LISTEN "{CHANNEL}"'.encode())
        self.received = 0

    def count(self, ended: threading.Event) -> None:
        """Until nothing has come for a while after the end."""
        while True:
            before = self.received
            for _ in self.connection.notifies(timeout=0.2):
                self.received += 1
            if ended.is_set() and self.received == before:
                return

    def delay(self, engine: Engine, rounds: int = 200) -> float:
        """Milliseconds from before a note is sent until it is heard; the median."""
        taken = []
        for _ in range(rounds):
            began = time.perf_counter()
            send(engine, 1)
            next(self.connection.notifies(stop_after=1))
            taken.append((time.perf_counter() - began) * 1000)
        return round(statistics.median(taken), 2)


def rate(engine: Engine, listener: Listener, notes: int, args: argparse.Namespace) -> dict[str, int]:
    """Notes and transactions a second."""
    ended, listener.received = threading.Event(), 0

    def write(_: int) -> int:
        end, sent = time.perf_counter() + args.seconds, 0
        while time.perf_counter() < end:
            send(engine, notes)
            sent += 1
        return sent

    with ThreadPoolExecutor(args.writers + 1) as threads:
        hearing = threads.submit(listener.count, ended)
        began = time.perf_counter()
        sent = sum(threads.map(write, range(args.writers)))
        taken = time.perf_counter() - began
        ended.set()
        hearing.result()
    if listener.received != sent * notes:
        raise ValueError(f"{sent * notes} notes were sent and {listener.received} heard")
    return {"transactions": round(sent / taken), "notes": round(sent * notes / taken)}


def measure(url: str, args: argparse.Namespace) -> dict[str, Any]:
    """Each figure by its name. Raises ValueError."""
    try:
        engine = create_engine(
            make_url(url), isolation_level="AUTOCOMMIT", pool_size=args.writers, hide_parameters=True
        )
        listener = Listener(engine)
        with listener.connection:
            alone = listener.delay(engine)
            rates = {str(notes): rate(engine, listener, notes, args) for notes in (1, EACH)}
        engine.dispose()
    except (ArgumentError, SQLAlchemyError, psycopg.Error) as error:
        raise ValueError(f"--url: {type(error).__name__}: it must name a PostgreSQL that answers") from error
    return {"writers": args.writers, "seconds": args.seconds, "delay_ms": alone, "per_second": rates}


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    yield f"{report['writers']} writers, one listener; a note alone is heard after {report['delay_ms']} ms"
    for notes, rates in report["per_second"].items():
        yield (
            f"{notes:>3} notes a transaction: {rates['transactions']:>6,} transactions/s, {rates['notes']:>7,} notes/s,"
            f" {rates['notes'] // RATE:>6,} watched replies"
        )


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    if args.writers < 1 or args.seconds <= 0:
        raise ValueError("--writers must be 1 or more, --seconds above 0")
    with ExitStack() as stack:
        url, binaries = args.url, postgresql.find_binaries()
        if url is None:
            if binaries is None:
                raise ValueError(
                    "PostgreSQL is not installed here (apt-get install postgresql); --url names one elsewhere"
                )
            url = stack.enter_context(stack.enter_context(postgresql.start_postgresql(binaries)).database())
        report = measure(url, args)
    print(json.dumps(report, indent=2) if args.json else "\n".join(lines(report)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.broadcast", __doc__)
    options.add_argument("--writers", type=int, default=4, help="processes that write, here threads (%(default)s)")
    options.add_argument("--seconds", type=float, default=3.0, help="of each figure (%(default)s)")
    options.add_argument("--url", help="a PostgreSQL database, instead of a server of its own")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
