"""How many of our own functions the second message of a chat calls, from `turn.send` to the last token of its reply.

A short greedy reply of the shipped model through llama.cpp, with a new SQLite file. Counted with `sys.setprofile` in
every thread: each time that a function of this repository begins, or, a coroutine or generator, goes on. Comprehensions
are no functions. The engine's own thread is counted apart: its work goes with the tokens, and no message passes it.
What goes by the clock, and so hangs on how fast the machine is, is kept from it: no growing reply is saved, and words
are handed on twice, the first at once and the others at the end. The least of several messages is shown, and the calls
of the median. Version 0.7.0 has 364 and 389, with what went by the clock, 6 transactions and 5 jobs for other threads.

Examples:
  python -m benchmarks.calls
  python -m benchmarks.calls --rounds 3 --list
  python -m benchmarks.calls --json
"""

import argparse
import itertools
import json
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from sqlalchemy import event

from conversations.replies import GenerationRequest, turn
from conversations.store import Database, Store
from settings import ROOT, Settings

FIRST, SECOND = "Hello, how are you?", "What do you like to eat?"
OPTIONS = {"temperature": 0.0, "max_tokens": 16}
COMPREHENSIONS = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")
ENGINE = "engine-"  # how the name of an engine's thread begins
NEVER = 3600.0  # seconds
LAST = "on_llm_end"  # the report's, called after the last token


@dataclass
class Calls:
    """What was counted; `trace` holds thread, file and function of each call in order."""

    trace: list[tuple[str, str, str]] = field(default_factory=list)
    transactions: int = 0
    jobs: int = 0  # handed to another thread

    def counts(self) -> dict[str, int]:
        """The counts of calls, functions, files and file switches, by name."""
        own = [(file, name) for thread, file, name in self.trace if not thread.startswith(ENGINE)]
        files = [file for file, _ in own]
        return {
            "calls": len(own),
            "functions": len(set(own)),
            "files": len(set(files)),
            "file switches": sum(one != other for one, other in itertools.pairwise(files)),
            "transactions": self.transactions,
            "jobs for other threads": self.jobs,
            "calls in the engine's thread": len(self.trace) - len(own),
        }


class Profiler:
    """Counts while `calls` is set; installed before the threads that it is to see begin."""

    def __init__(self) -> None:
        self.calls: Calls | None = None
        threading.setprofile(self._see)
        sys.setprofile(self._see)

    def _see(self, frame: FrameType, kind: str, _: Any) -> None:
        calls, code = self.calls, frame.f_code
        if calls is None or kind != "call":
            return
        if code.co_name == "run_in_executor" and code.co_filename.endswith("base_events.py"):
            calls.jobs += frame.f_locals["executor"] is None  # the saves of what has come have a thread of their own
        if code.co_name in COMPREHENSIONS or not _is_ours(code.co_filename):
            return
        file = str(Path(code.co_filename).relative_to(ROOT))
        calls.trace.append((threading.current_thread().name, file, code.co_qualname))
        if code.co_name == LAST:
            self.calls = None

    def begin_transaction(self, *_: Any) -> None:
        """Count one; a listener of SQLAlchemy's."""
        if self.calls is not None:
            self.calls.transactions += 1


def _is_ours(file: str) -> bool:
    return file.startswith(f"{ROOT}/") and "/.venv/" not in file and file != __file__


def measure(rounds: int) -> list[Calls]:
    """The second message of so many chats."""
    profiler = Profiler()
    gathers = patch.multiple("backends.local.inbox", PAUSE=NEVER, CROWDED_PAUSE=NEVER)
    with tempfile.TemporaryDirectory() as folder, gathers, patch("conversations.replies.writer.PAUSE", NEVER):
        database = Database(f"sqlite:///{folder}/conversations.db")
        event.listen(database.engine, "begin", profiler.begin_transaction)
        store = Store(database, "benchmark")
        request = GenerationRequest(Settings.read(), "llamacpp", OPTIONS)
        runs = [_second_message(store, request, profiler) for _ in range(rounds)]
        database.close()
    return runs


def _second_message(store: Store, request: GenerationRequest, profiler: Profiler) -> Calls:
    """One chat; what its second message called."""
    first, reply = turn.start_turn(store, None, FIRST, request)
    reply.wait()
    profiler.calls = calls = Calls()
    _, reply = turn.start_turn(store, first.conversation_id, SECOND, request)
    reply.wait()
    if reply.error:
        raise RuntimeError(reply.error)
    return calls


def main() -> None:
    """Run the command: measure, and print the counts of the quietest run."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=9, help="chats, of which the median is shown (%(default)s)")
    options.add_argument("--list", action="store_true", help="each function with its calls")
    options.add_argument("--json", action="store_true", help="the figures as JSON")
    args = options.parse_args()
    runs = sorted(measure(args.rounds), key=lambda calls: calls.counts()["calls"])
    least, median = runs[0], runs[len(runs) // 2]
    counts = {**least.counts(), "calls in the median": median.counts()["calls"]}
    if args.json:
        print(json.dumps(counts))
        return
    for name, figure in counts.items():
        print(f"{figure:5} {name}")
    if args.list:
        for (file, function), number in Counter((file, name) for _, file, name in least.trace).most_common():
            print(f"{number:5} {file}:{function}")


if __name__ == "__main__":
    main()
