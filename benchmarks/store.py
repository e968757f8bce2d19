"""How long the store takes to list, open and search many conversations, and how large it is, on SQLite and PostgreSQL.

One owner's conversations are made of invented words, as unevenly frequent as those of a language, and one of them is
long; nine in ten are in one of 500 projects. Each figure is the median of the rounds in milliseconds, called as the
page calls it, after one call that is not counted; the calls take turns. SQLite gets a new file, PostgreSQL a new
server in a temporary folder, or the empty database that --url names, which is emptied again. Sizes are of the whole
database, indexes and search tables with it, less what an empty one has; rows a second are those of one large
transaction. Knows no model.

Examples:
  python -m benchmarks.store
  python -m benchmarks.store --conversations 500 --messages 10000 --json
  python -m benchmarks.store --url postgresql+psycopg://me@localhost/empty
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select, text

from benchmarks import postgresql
from benchmarks.sample_store import OWNER, Script, analyze, generate_rows, write
from conversations.store import (
    Conversation,
    Database,
    DatabaseError,
    Period,
    Project,
    Store,
    collect_statistics,
    projects,
    search_conversations,
)
from training.command import parser, run

TARGET = 50  # milliseconds


@contextmanager
def open_empty(url: str) -> Iterator[Database]:
    """An empty database, emptied again afterwards. Raises DatabaseError, ValueError."""
    database = Database(url)
    try:
        with database.reading() as session:
            if session.scalar(select(Conversation.id).limit(1)) is not None:
                raise ValueError(f"--url {database}: it holds conversations; name an empty database")
        try:
            yield database
        finally:
            with database.writing() as session:
                session.execute(delete(Conversation).where(Conversation.owner == OWNER))
                session.execute(delete(Project).where(Project.owner == OWNER))
    finally:
        database.close()


def medians(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, by turns, so that busy cores slow all alike. Raises ValueError where nothing comes back."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for name, call in calls.items():
        if not call():
            raise ValueError(f"{name}: nothing was found")
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            taken[name].append((time.perf_counter() - began) * 1000)
    return {name: round(statistics.median(each), 2) for name, each in taken.items()}


def size(database: Database) -> int:
    """Bytes of the whole database; of SQLite's file, what is still in its journal included."""
    if database.sqlite:
        query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    else:
        query = "SELECT pg_database_size(current_database())"
    with database.reading() as session:
        return int(session.execute(text(query)).scalar_one())


def build(database: Database, args: argparse.Namespace) -> tuple[Script, dict[str, float]]:
    """Fill it; what it weighs then: bytes of texts and of all a message, megabytes, rows a second."""
    script, talks, messages = generate_rows(args.conversations, args.messages)
    before, began = size(database), time.perf_counter()
    write(database, talks, messages)
    seconds = time.perf_counter() - began
    analyze(database)
    grown, texts = size(database) - before, sum(len(each["text"].encode()) for each in messages)
    return script, {
        "bytes of text a message": round(texts / len(messages)),
        "bytes a message": round(grown / len(messages)),
        "MB in all": round(grown / 1e6, 1),
        "rows/s": round((len(talks) + len(messages)) / seconds),
    }


def measure(url: str, args: argparse.Namespace) -> tuple[dict[str, float], dict[str, float]]:
    """Each call's milliseconds by its name, and what the database weighs. Raises DatabaseError, ValueError."""
    with open_empty(url) as database:
        script, weight = build(database, args)
        store = Store(database, OWNER)
        calls: dict[str, Callable[[], Any]] = {
            "list page": store.listing,
            "open the long conversation": partial(store.thread, f"talk-{args.conversations - 1}"),
            "insights": partial(collect_statistics, store, Period()),
        }
        calls |= {
            f"search: {name}": partial(search_conversations, store, words) for name, words in script.queries().items()
        }
        calls |= project_calls(store, f"talk-{args.conversations - 1}", script)
        return medians(calls, args.rounds), weight


def project_calls(store: Store, talk: str, script: Script) -> dict[str, Callable[[], Any]]:
    """What the page asks of projects; of the one that holds this conversation."""
    project = store.get(talk).project_id
    calls: dict[str, Callable[[], Any]] = {
        "list the projects": partial(projects.listing, store),
        "list what is in no project": partial(projects.conversations, store, None),
        "list a project's": partial(projects.conversations, store, project),
    }
    for name in ("common word", "two words", "beginning of a word"):
        search = partial(search_conversations, store, script.queries()[name], project_id=project)
        calls[f"in a project: {name}"] = search
    return calls


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """The whole report. Raises DatabaseError, ValueError, OSError."""
    milliseconds, weights = {}, {}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        milliseconds["SQLite"], weights["SQLite"] = measure(f"sqlite:///{Path(folder) / 'store.db'}", args)
        url, binaries = args.url, postgresql.find_binaries()
        if url is None and binaries is not None:
            url = stack.enter_context(stack.enter_context(postgresql.start_postgresql(binaries)).database())
        if url is not None:
            milliseconds["PostgreSQL"], weights["PostgreSQL"] = measure(url, args)
    slowest = max(max(each.values()) for each in milliseconds.values())
    return {
        "conversations": args.conversations,
        "messages": args.messages,
        "rounds": args.rounds,
        "milliseconds": milliseconds,
        "weights": weights,
        "slowest": slowest,
    }


def lines(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    milliseconds = report["milliseconds"]
    yield (
        f"{report['messages']:,} messages in {report['conversations']:,} conversations of one owner; median ms of "
        f"{report['rounds']} (target: {TARGET})"
    )
    yield f"{'':<34}" + "".join(f"{name:>12}" for name in milliseconds)
    for call in milliseconds["SQLite"]:
        yield f"{call:<34}" + "".join(f"{each[call]:>12.1f}" for each in milliseconds.values())
    for name in report["weights"]["SQLite"]:
        yield f"{name:<34}" + "".join(f"{each[name]:>12,.0f}" for each in report["weights"].values())
    if "PostgreSQL" not in milliseconds:
        yield "PostgreSQL is not installed here (apt-get install postgresql); --url names a server elsewhere."


def work(args: argparse.Namespace) -> None:
    """Measure and print. Raises ValueError, OSError."""
    for name, least in (("conversations", 2), ("messages", 2 * args.conversations), ("rounds", 1)):
        if getattr(args, name) < least:
            raise ValueError(f"--{name} {getattr(args, name)}: {least} or more")
    try:
        report = benchmark(args)
    except DatabaseError as error:
        raise ValueError(str(error)) from error
    print(json.dumps(report, indent=2) if args.json else "\n".join(lines(report)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.store", __doc__)
    options.add_argument("--conversations", type=int, default=5000, help="(%(default)s)")
    options.add_argument("--messages", type=int, default=100_000, help="in all of them (%(default)s)")
    options.add_argument("--rounds", type=int, default=21, help="of each call (%(default)s)")
    options.add_argument("--url", help="an empty PostgreSQL database, instead of a server of its own")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
