"""Where limits count: rows of our own database, one for each caller and window, the same for every process.

A storage of the `limits` library. Knows keys and amounts; nothing of requests or callers.
"""

import threading
import time
from typing import Any

from limits.storage import Storage
from sqlalchemy import case, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from conversations.store import Counter, Database, DatabaseError

SWEEP_INTERVAL = 60.0  # seconds between two removals of rows whose time is over


class DatabaseStorage(Storage):
    """Counts that several processes may raise at once. Raises DatabaseError where the database is away."""

    STORAGE_SCHEME = ["database"]  # noqa: RUF012 (the library's own form)

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, *, database: Database) -> None:
        super().__init__(uri, wrap_exceptions)
        self._database = database
        self._insert: Any = sqlite.insert if database.sqlite else postgresql.insert
        self._swept, self._sweeping = time.monotonic(), threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What can go wrong."""
        return DatabaseError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """The count after it grew."""
        return self.incr_with_expiry(key, expiry, amount)[0]

    def incr_with_expiry(self, key: str, expiry: int, amount: int = 1) -> tuple[int, float]:
        """The same, and when its window ends, which began with its first one and has `expiry` seconds."""
        now = self._database.now()
        over = Counter.expires <= now
        fresh = self._insert(Counter).values(key=key, amount=amount, expires=now + expiry)
        raised = {
            "amount": case((over, amount), else_=Counter.amount + amount),
            "expires": case((over, now + expiry), else_=Counter.expires),
        }
        statement = fresh.on_conflict_do_update(index_elements=[Counter.key], set_=raised).returning(
            Counter.amount, Counter.expires
        )
        with self._database.writing() as session:
            row = session.execute(statement).one()
        self._sweep()
        return row.amount, row.expires

    def get(self, key: str) -> int:
        """The count; 0 where its window is over."""
        return self.get_with_expiry(key)[0]

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since 1970; now where there is none."""
        return self.get_with_expiry(key)[1]

    def check(self) -> bool:
        """Whether the database answers."""
        self.get_with_expiry("")
        return True

    def reset(self) -> int:
        """Forget every count; returns how many."""
        with self._database.writing() as session:
            return len(session.execute(delete(Counter).returning(Counter.key)).all())

    def clear(self, key: str) -> None:
        """Forget one."""
        with self._database.writing() as session:
            session.execute(delete(Counter).where(Counter.key == key))

    def get_with_expiry(self, key: str) -> tuple[int, float]:
        """A count, and when its window ends."""
        live = Counter.expires > self._database.now()
        asked = select(Counter.amount, Counter.expires).where(Counter.key == key, live)
        with self._database.reading() as session:
            row = session.execute(asked).one_or_none()
        return (0, time.time()) if row is None else (row.amount, row.expires)

    def _sweep(self) -> None:
        """Remove what is over, now and then; rows that another process holds are left to it."""
        with self._sweeping:
            if time.monotonic() - self._swept < SWEEP_INTERVAL:
                return
            self._swept = time.monotonic()
        over = select(Counter.key).where(Counter.expires <= self._database.now()).with_for_update(skip_locked=True)
        with self._database.writing() as session:
            session.execute(delete(Counter).where(Counter.key.in_(over)))
