"""Counters on both databases: nobody's count is lost, and what is over goes away."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import SCHEMES  # type: ignore[attr-defined]
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import func, select

from api.http import counter
from api.http.counter import DatabaseStorage
from conversations.store.database import connect
from conversations.store.schema import Counter
from settings import ROOT

RAISE = """
import sys
from api.http.counter import DatabaseStorage
from conversations.store.database import connect, disconnect
for line in sys.stdin:
    counts = DatabaseStorage(database=connect(line.strip()))
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(100):
        counts.incr("one", 60)
    disconnect()
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def others() -> Iterator[list["subprocess.Popen[str]"]]:
    """Two processes that count to a hundred in each database they are told of."""
    with ExitStack() as stack:
        command, pipe = [sys.executable, "-c", RAISE], subprocess.PIPE
        started = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
        yield [stack.enter_context(process) for process in started]


def heard(process: "subprocess.Popen[str]", said: str) -> str:
    """Tell it a line; the line that it answers."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(said + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_counts_of_several_processes_add_up(database_url: str, others: list["subprocess.Popen[str]"]) -> None:
    assert [heard(process, database_url) for process in others] == ["ready"] * 2
    with ThreadPoolExecutor(2) as both:
        assert list(both.map(heard, others, [""] * 2)) == ["done"] * 2
    assert DatabaseStorage(database=connect(database_url)).get("one") == 200


def test_a_window_begins_with_its_first_count_and_ends(database_url: str) -> None:
    counts = DatabaseStorage(database=connect(database_url))
    assert counts.get("x") == 0
    assert counts.incr_with_expiry("x", 1, 2)[0] == 2
    end = counts.get_expiry("x")
    assert time.time() < end <= time.time() + 1.1
    assert counts.incr("x", 1) == 3
    assert counts.get_expiry("x") == end
    time.sleep(1.05)
    assert counts.get("x") == 0
    assert counts.incr("x", 60) == 1


def test_what_is_over_is_swept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = connect(database_url)
    counts = DatabaseStorage(database=database)
    counts.incr("old", 0)
    counts.incr("new", 60)
    monkeypatch.setattr(counter, "SWEEP_INTERVAL", 0.0)
    time.sleep(0.01)
    counts.incr("other", 60)
    with database.reading() as session:
        assert set(session.scalars(select(Counter.key))) == {"new", "other"}


def test_they_can_be_forgotten(database_url: str) -> None:
    database = connect(database_url)
    counts = DatabaseStorage(database=database)
    for key in ("a", "b", "c"):
        counts.incr(key, 60)
    counts.clear("a")
    assert counts.get("a") == 0
    assert counts.reset() == 2
    assert counts.check()
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Counter)) == 0


def test_the_library_takes_it_as_a_storage() -> None:
    assert SCHEMES["database"] is DatabaseStorage


def test_the_librarys_own_limiter_counts_in_it(database_url: str) -> None:
    limiter, item = FixedWindowRateLimiter(DatabaseStorage(database=connect(database_url))), RateLimitItemPerMinute(2)
    assert [limiter.hit(item, "me") for _ in range(3)] == [True, True, False]
    assert limiter.hit(item, "you")
    assert limiter.get_window_stats(item, "you").remaining == 1
