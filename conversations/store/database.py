"""The database behind the store: SQLite or PostgreSQL by its URL, brought up to date when it is opened.

Knows connections, transactions and migrations; nothing of conversations.
"""

import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Engine,
    cast,
    create_engine,
    event,
    func,
    literal,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

log = logging.getLogger(__name__)
MIGRATIONS = Path(__file__).with_name("migrations")
BUSY_TIMEOUT = 10  # seconds to wait for another process that writes
IN_MEMORY = "sqlite:///file:/temporary?vfs=memdb&uri=true"  # of this process, which forgets it when it ends
UPGRADE_LOCK = 7401  # the number of PostgreSQL's advisory lock while one process upgrades


class DatabaseError(RuntimeError):
    """The database cannot be used; the text says why and what to do."""


@contextmanager
def _hide_details() -> Iterator[None]:
    """What only the operator can mend: he finds it in the log, and no visitor is shown addresses and statements."""
    try:
        yield
    except OperationalError as error:
        log.warning("the database failed: %s", " ".join(str(error.orig).split()))
        raise DatabaseError("The database does not answer. What was saved is not lost; try again soon.") from error


class Database:
    """One database: `reading()` and `writing()` give sessions. Raises DatabaseError where it cannot be opened."""

    def __init__(self, url: str, migrations: Path = MIGRATIONS) -> None:
        self._migrations = migrations
        try:
            self.url = make_url(url)
            self.sqlite = self.url.get_backend_name() == "sqlite"
            self.is_temporary = self.url.query.get("vfs") == "memdb"  # in memory: of it nothing is kept elsewhere
            if self.sqlite and self.file is None and not self.is_temporary:
                raise ArgumentError("a database in memory forgets")
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            self.engine = _engine(url, self.sqlite)
            event.listen(self.engine, "checkin", self._discard_closed)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, OSError) as error:
            raise DatabaseError(f"DATABASE_URL: {error}. Use sqlite:///file or postgresql+psycopg://…") from error
        except ValueError:  # its text may hold a piece of the password
            raise DatabaseError(
                "DATABASE_URL: its port is no number. In a password write %40 for @, %3A for :"
            ) from None
        self._writer = threading.Lock()
        self.closed = False
        self._keeper: Connection | None = None  # what is in memory goes with its last connection
        try:
            self._keeper = self.engine.connect() if self.is_temporary else None
            self._upgrade()
        except (DBAPIError, sqlite3.DatabaseError) as error:
            cause = " ".join(str(getattr(error, "orig", error)).split())
            raise DatabaseError(f"DATABASE_URL={self}: {cause}. Check that it is there and may be written.") from error
        finally:
            self.engine.dispose()  # none stays open after a failure; after success one more is cheap

    def __str__(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """SQLite's file; None for a server and for a database in memory."""
        is_file = self.sqlite and not self.is_temporary and self.url.database not in {None, "", ":memory:"}
        return Path(self.url.database) if is_file and self.url.database else None

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the database. Raises DatabaseError where it is away, busy or full."""
        with _hide_details(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction: all of it is written at the end, or nothing. Keep it short: on SQLite there is one writer."""
        engine = self.engine.execution_options(transaction="immediate")
        turn = self._writer if self.sqlite else nullcontext()
        with _hide_details(), turn, Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    def now(self) -> ColumnElement[float]:
        """This moment by the clock that every process of the database shares."""
        clock = literal(time.time()) if self.sqlite else func.extract("epoch", func.clock_timestamp())
        return cast(clock, Double)

    def vacuum(self) -> None:
        """Give the space of what was deleted back; after it no page holds a deleted text. Raises DatabaseError."""
        if not self.sqlite:
            with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
                connection.exec_driver_sql("VACUUM FULL")
            return
        with self._writer, self.engine.execution_options(transaction="none").connect() as connection:
            for index in ("message_text", "message_thinking", "call_text"):
                connection.exec_driver_sql(f"INSERT INTO {index}({index}) VALUES ('optimize')")
            connection.exec_driver_sql("VACUUM")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        if busy:
            raise DatabaseError(
                f"{self} is being read, so deleted words may still be in its -wal file. Try again, or end who reads it."
            )

    def close(self) -> None:
        """Close the connections; nobody waits for it to come back."""
        self.closed = True
        if self._keeper is not None:
            self._keeper.close()
        self.engine.dispose()

    def _discard_closed(self, _: Any, entry: ConnectionPoolEntry) -> None:
        """Who was still asking at the end gives his connection back to a pool that keeps it for nobody."""
        if self.closed:
            entry.invalidate()

    def _upgrade(self) -> None:
        """Bring the tables up to date in one transaction; SQLite's file is copied first."""
        config = Config()
        config.set_main_option("script_location", str(self._migrations).replace("%", "%%"))
        script = ScriptDirectory.from_config(config)
        with self.engine.connect() as connection:
            revision = self._check(connection, script)
        if revision == script.get_current_head():
            return
        if self.file is not None and revision:
            self._copy(revision)
        with self.engine.execution_options(transaction="immediate").begin() as connection:
            if not self.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
            self._check(connection, script)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")  # does nothing where another process was first

    def _check(self, connection: Connection, script: ScriptDirectory) -> str | None:
        """The revision of the tables. Raises DatabaseError for one that this code does not know."""
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision is not None and revision not in {revision.revision for revision in script.walk_revisions()}:
            raise DatabaseError(
                f"DATABASE_URL={self} was written by a newer version (its tables are {revision}, the newest known here "
                f"{script.get_current_head()}). Update this program, or name another database."
            )
        return revision

    def _copy(self, revision: str) -> None:
        """The file as it was, beside it."""
        assert self.file is not None
        target = self.file.with_name(f"{self.file.name}.{revision}.backup")
        with sqlite3.connect(self.file) as source, sqlite3.connect(target) as copy:
            source.backup(copy)
        source.close()
        copy.close()
        log.info("tables of %s are brought up to date; %s is the file as it was", self, target.name)


def _engine(url: str, sqlite: bool) -> Engine:
    if not sqlite:
        return create_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True, hide_parameters=True)
    engine = create_engine(
        url, pool_size=10, max_overflow=20, hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver's own transactions end before DDL
        _enable_wal(connection)
        connection.create_function("hashtext", 1, _hash_text, deterministic=True)
        in_memory = ("temp_store=MEMORY",) if url == IN_MEMORY else ()  # else a large sort is one of a file in /tmp
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON", *in_memory):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        kind = connection.get_execution_options().get("transaction", "deferred")
        if kind != "none":
            connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def _hash_text(value: str) -> int:
    """A number for a text, as PostgreSQL has it; not the same one."""
    return zlib.crc32(value.encode())


def _enable_wal(connection: sqlite3.Connection) -> None:
    """SQLite's own wait leaves this one out where another process writes to a file that is not in this mode yet."""
    end = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)


_open: dict[str, Database] = {}
_lock = threading.Lock()


def connect(url: str) -> Database:
    """The database of that URL, opened by the first caller. Raises DatabaseError."""
    with _lock:
        if url not in _open:
            _open[url] = Database(url)
        return _open[url]


def disconnect() -> None:
    """Close every database, for a change of settings."""
    with _lock:
        for database in _open.values():
            database.close()
        _open.clear()
