"""The store's benchmark at a tiny size: what it writes and reports; never its speed."""

import io
import json
import sqlite3
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from benchmarks import postgresql, sample_store, store
from conversations.store.database import Database
from conversations.store.search import search_conversations
from conversations.store.store import Store

SMALL = ["--conversations", "12", "--messages", "200", "--rounds", "1"]
WEIGHTS = ["bytes of text a message", "bytes a message", "MB in all", "rows/s"]
CALLS = [
    "list page", "open the long conversation", "insights", "search: common word", "search: rare word",
    "search: two words", "search: beginning of a word", "search: inside texts (no index)",
    "list the projects", "list what is in no project", "list a project's", "in a project: common word",
    "in a project: two words", "in a project: beginning of a word",
]  # fmt: skip


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = store.main([*SMALL, *arguments])
    return status, out.getvalue(), err.getvalue()


def test_each_call_is_measured_on_each_database() -> None:
    status, out, err = run("--json")
    assert (status, err) == (0, "")
    report: dict[str, Any] = json.loads(out)
    names = ["SQLite", "PostgreSQL"] if postgresql.find_binaries() else ["SQLite"]
    assert list(report["milliseconds"]) == names
    for figures in report["milliseconds"].values():
        assert list(figures) == CALLS
        assert all(0 < milliseconds <= report["slowest"] for milliseconds in figures.values())
    assert list(report["weights"]) == names
    for weight in report["weights"].values():
        assert list(weight) == WEIGHTS
        assert weight["bytes a message"] > weight["bytes of text a message"] > 100
        assert weight["rows/s"] > 0


def test_the_table_has_a_line_for_each_call(postgresql_url: str) -> None:
    status, out, _ = run("--url", postgresql_url)
    assert status == 0
    title, head, *lines = out.splitlines()
    assert title.startswith("200 messages in 12 conversations of one owner; median ms of 1")
    assert head.split() == ["SQLite", "PostgreSQL"]
    assert [line[:34].rstrip() for line in lines] == [*CALLS, *WEIGHTS]
    emptied = Database(postgresql_url)
    assert Store(emptied, sample_store.OWNER).listing() == []
    emptied.close()


def test_the_store_is_what_the_figures_say(database_url: str) -> None:
    database = Database(database_url)
    script = sample_store.fill(database, 12, 200)
    mine = Store(database, sample_store.OWNER)
    threads = [mine.thread(each.id, last=1000) for each in mine.listing()]
    assert [len(each.messages) for each in threads] == [100, *[9] * 10, 10]
    assert [len(hit.title) <= 60 for hit in search_conversations(mine, sample_store.RARE)] == [True, True]
    assert len(search_conversations(mine, script.queries()["common word"])) == 12
    database.close()


def test_a_size_is_that_of_the_file(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/store.db")
    sample_store.fill(database, 12, 200)
    told = store.size(database)
    database.close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert told == (tmp_path / "store.db").stat().st_size


def test_a_database_in_use_is_left_alone(database_url: str) -> None:
    database = Database(database_url)
    kept = Store(database, sample_store.OWNER)
    with database.writing() as session:
        kept.create(session)
    status, out, err = run("--url", database_url)
    assert (status, out) == (2, "")
    assert err.startswith("benchmark: --url ")
    assert err.endswith("it holds conversations; name an empty database\n")
    assert len(kept.listing()) == 1
    database.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--conversations", "1"], "benchmark: --conversations 1: 2 or more\n"),
        (["--messages", "20"], "benchmark: --messages 20: 24 or more\n"),
        (["--rounds", "0"], "benchmark: --rounds 0: 1 or more\n"),
        (["--url", "nonsense"], "benchmark: DATABASE_URL: Could not parse SQLAlchemy URL"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: list[str], said: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(said)
    assert err.count("\n") == 1
