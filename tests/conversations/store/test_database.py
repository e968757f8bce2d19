"""Opening, upgrading and writing the database, on SQLite and on PostgreSQL."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, make_url, text

from conversations.replies import turn
from conversations.store.database import MIGRATIONS, Database, DatabaseError, connect
from conversations.store.schema import Base
from conversations.store.store import Store
from settings import ROOT
from tests.conversations.talk import mine

NOBODY = 65534
NEWEST = max(path.name[:4] for path in (MIGRATIONS / "versions").glob("0*.py"))
NEXT = f"{int(NEWEST) + 1:04}"
UPGRADE = '''
"""More."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{next}", "{newest}"


def upgrade() -> None:
    op.create_table("more", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("UPDATE conversation SET title = 'upgraded'")
    {last}
'''
OPENING = """
import os, sys
from conversations.store import Conversation, Database, Message
print("ready", flush=True)
sys.stdin.readline()
database = Database(sys.argv[1])
for number in range(int(sys.argv[2])):
    with database.writing() as session:
        made = Conversation(id=f"{os.getpid()}-{number}", owner="me", created=1, updated=1)
        session.add(made)
        session.flush()
        session.add(Message(conversation_id=made.id, role="user", text=f"said {number}", created=1))
database.close()
"""


def dump(database: Database) -> dict[str, list[str]]:
    """Every table with its rows, those of SQLite's index as well."""
    with database.engine.connect() as connection:
        names = inspect(connection).get_table_names()
        return {name: sorted(map(str, connection.execute(text(f'SELECT * FROM "{name}"')))) for name in names}


def revision(database: Database) -> str | None:
    """What the tables say they are."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newer(folder: Path, last: str = "") -> Path:
    """The migrations with one more."""
    copy = shutil.copytree(MIGRATIONS, folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "versions" / f"{NEXT}_more.py").write_text(UPGRADE.format(last=last, next=NEXT, newest=NEWEST))
    return copy


def said(url: str, words: str = "hello") -> Database:
    """A database with one message in it."""
    database = connect(url)
    store = Store(database, "me")
    with database.writing() as session:
        found = store.create(session)
        found.title = "as it was"
        turn.add_message(session, found, None, text=words)
    return database


def test_an_empty_database_gets_the_tables(database_url: str) -> None:
    database = connect(database_url)
    assert set(Base.metadata.tables) <= set(dump(database))
    assert revision(database) == NEWEST
    assert mine().listing() == []


def test_opening_again_changes_nothing(database_url: str) -> None:
    database = said(database_url)
    before = dump(database)
    again = Database(database_url)
    assert dump(again) == before
    again.close()
    if database.file is not None:
        assert not list(database.file.parent.glob("*.backup"))


def test_models_and_migrations_agree(database_url: str) -> None:
    def ours(found: Any, name: str | None, kind: str, *rest: object) -> bool:
        if kind == "foreign_key_constraint":  # SQLite does not tell ON DELETE of a column that was added later
            columns = [column.name for column in found.columns]
            return columns != ["project_id"] and (columns, found.table.name) != (["message_id"], "response")
        indexes = ("message_text", "message_thinking", "call_text")  # of texts, which have no model
        return not (name or "").startswith(indexes)

    with connect(database_url).engine.connect() as connection:
        options = {"include_object": ours, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_a_newer_database_is_refused_and_left_alone(database_url: str, tmp_path: Path) -> None:
    said(database_url).close()
    newest = Database(database_url, newer(tmp_path))
    before = dump(newest)
    with pytest.raises(DatabaseError) as raised:
        Database(database_url)
    told = f"newer version (its tables are {NEXT}, the newest known here {NEWEST}). Update this program"
    assert told in str(raised.value)
    assert dump(newest) == before
    newest.close()


def test_an_upgrade_keeps_a_copy_of_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/some.db"
    old = said(url)
    before = dump(old)
    old.close()
    upgraded = Database(url, newer(tmp_path))
    assert revision(upgraded) == NEXT
    assert "'upgraded'" in dump(upgraded)["conversation"][0]
    upgraded.close()
    backup = Database(f"sqlite:///{tmp_path}/some.db.{NEWEST}.backup")
    assert dump(backup) == before
    backup.close()
    Database(url, tmp_path / "migrations").close()
    assert [path.name for path in tmp_path.glob("*.backup")] == [f"some.db.{NEWEST}.backup"]


def test_an_older_database_is_upgraded(database_url: str, tmp_path: Path) -> None:
    old = said(database_url)
    rows = dump(old)["message"]
    upgraded = Database(database_url, newer(tmp_path))
    after = dump(upgraded)
    upgraded.close()
    assert (after["message"], after["more"], after["alembic_version"]) == (rows, [], [f"('{NEXT}',)"])


@pytest.mark.parametrize("last", ["op.execute('SELECT * FROM nowhere')", "raise LookupError('half-way')"])
def test_an_upgrade_that_fails_half_way_leaves_all_as_it_was(database_url: str, tmp_path: Path, last: str) -> None:
    database = said(database_url)
    before = dump(database)
    migrations = newer(tmp_path, last)
    with pytest.raises((DatabaseError, LookupError), match=r"nowhere|half-way"):
        Database(database_url, migrations)
    assert dump(database) == before
    again = Database(database_url)
    assert dump(again) == before
    again.close()


def children(url: str, count: int, writes: int) -> None:
    """Processes that open the database at the same moment and write to it; fails where one of them does."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-W", "error", "-c", OPENING, url, str(writes)],
                    cwd=ROOT,
                    text=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
            for _ in range(count)
        ]
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        failed = [process.communicate(timeout=300)[1] for process in started]
    assert failed == [""] * count


def test_processes_that_open_and_write_at_once_all_succeed(database_url: str) -> None:
    children(database_url, count=4, writes=25)
    database = connect(database_url)
    tables = dump(database)
    assert (len(tables["conversation"]), len(tables["message"])) == (100, 100)
    if database.sqlite:
        with database.engine.connect() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"


def test_a_writer_waits_for_the_one_before(database_url: str) -> None:
    """What a writing session locked stays as it read it, whoever else wants to write."""
    first, second = said(database_url), Database(database_url)
    mine_, theirs = Store(first, "me"), Store(second, "me")
    (kept,) = mine_.listing()

    def add() -> None:
        with second.writing() as session:
            found = theirs.lock_conversation(session, kept.id)
            found.title += " second"

    with ThreadPoolExecutor() as pool:
        with first.writing() as session:
            found = mine_.lock_conversation(session, kept.id)
            waiting = pool.submit(add)
            with pytest.raises(TimeoutError):
                waiting.result(0.3)
            found.title += " first"
        waiting.result(10)
    assert mine_.get(kept.id).title == "as it was first second"
    second.close()


def test_deleted_and_vacuumed_is_nowhere(database_url: str) -> None:
    words = "xylophone quicksilver"
    database = said(database_url, words)
    said(database_url, "something else")
    store = mine()
    gone = next(c for c in store.listing() if store.thread(c.id).messages[0].text == words)
    store.update(gone.id, title="the xylophone", system="Be a quicksilver.")
    number = store.thread(gone.id).messages[0].id
    store.rate(number, 1, "quicksilver!")
    store.delete(gone.id)
    database.vacuum()
    tables = dump(database)
    assert len(tables["message"]) == 1
    assert not [row for rows in tables.values() for row in rows if "xylophone" in row or "quicksilver" in row]
    database.close()
    for path in [] if database.file is None else database.file.parent.iterdir():
        assert b"xylophone" not in path.read_bytes()
        assert b"quicksilver" not in path.read_bytes()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("sqlite://", "a database in memory forgets. Use sqlite:///file"),
        ("sqlite:///:memory:", "a database in memory forgets. Use sqlite:///file"),
        ("nonsense", "Use sqlite:///file or postgresql"),
        ("oracle+nothing://me:hidden@host/x", "Use sqlite:///file or postgresql"),
        ("postgresql+psycopg://me:hidden@127.0.0.1:1/x", "postgresql+psycopg://me:***@127.0.0.1:1/x: connection"),
        ("postgresql+psycopg://me:x@y:hidden@127.0.0.1/x", "its port is no number. In a password write %40 for @"),
        ("sqlite:////proc/nothing/x.db", "/proc/nothing"),
        ("sqlite:////proc/x.db", "sqlite:////proc/x.db: unable to open"),
    ],
)
def test_a_wrong_url_is_one_clear_line(url: str, named: str) -> None:
    with pytest.raises(DatabaseError) as raised:
        connect(url)
    line = str(raised.value)
    assert line.startswith("DATABASE_URL")
    assert named in line
    assert "hidden" not in line
    assert "\n" not in line


def test_a_missing_database_on_a_server_is_one_clear_line(postgresql_url: str) -> None:
    url = make_url(postgresql_url).set(database="missing", password="hidden").render_as_string(hide_password=False)
    with pytest.raises(DatabaseError, match='database "missing" does not exist') as raised:
        connect(url)
    assert "hidden" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear Anna, " * 500)
    with pytest.raises(DatabaseError, match=r"letter\.db: file is not a database\. Check") as raised:
        connect(f"sqlite:///{path}")
    assert "\n" not in str(raised.value)
    assert path.read_text() == "Dear Anna, " * 500


@pytest.fixture
def readonly() -> Iterator[Path]:
    """A folder with a database in which nobody may write; root becomes somebody else for the test."""
    folder = Path(tempfile.mkdtemp())
    said(f"sqlite:///{folder}/kept.db").close()
    (folder / "kept.db").chmod(0o444)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ["new.db", "below/new.db", "kept.db"])
def test_a_folder_without_write_permission_is_one_clear_line(readonly: Path, name: str) -> None:
    with pytest.raises(DatabaseError) as raised:
        Database(f"sqlite:///{readonly}/{name}")
    assert str(raised.value).startswith("DATABASE_URL")
    assert str(readonly) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert [path.name for path in readonly.iterdir()] == ["kept.db"]


def test_vacuum_does_not_say_done_while_somebody_still_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.store.database.BUSY_TIMEOUT", 0.1)
    database = Database(f"sqlite:///{tmp_path}/read.db")
    with database.reading() as session:
        session.execute(text("SELECT count(*) FROM message")).all()
        with database.writing() as writing:
            writing.execute(text("CREATE TABLE other (a)"))
        with pytest.raises(DatabaseError, match="is being read"):
            database.vacuum()
    database.vacuum()
    database.close()


def test_a_new_file_is_opened_while_another_process_begins_to_write_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None, check_same_thread=False)) as other:
        other.execute("CREATE TABLE other (a)")
        other.execute("BEGIN IMMEDIATE")
        later = threading.Timer(0.5, other.execute, ["COMMIT"])
        later.start()
        Database(f"sqlite:///{tmp_path}/new.db").close()
        later.join()


@pytest.mark.filterwarnings("error")
def test_a_connection_that_comes_back_after_the_end_is_closed(database_url: str) -> None:
    database = Database(database_url)
    with database.reading() as session:
        session.execute(text("SELECT 1"))
        held: Any = session.connection().connection.dbapi_connection
        database.close()
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError), match="closed"):
        held.execute("SELECT 1")
    with database.reading() as session:  # and one that is opened later
        session.execute(text("SELECT 1"))
        late: Any = session.connection().connection.dbapi_connection
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError), match="closed"):
        late.execute("SELECT 1")
