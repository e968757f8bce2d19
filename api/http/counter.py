"""The storage of limits in our own database: a row for each caller and window, the same for every process.

A `Storage` of the `limits` library. Knows keys and amounts; nothing of requests or callers.
"""

import threading
import time
from typing import Any

from limits.storage import Storage
from sqlalchemy import case, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from conversations.store import Counter, Database, DatabaseError

SWEEP_INTERVAL = 60.0  # seconds between two removals of expired rows


class DatabaseStorage(Storage):
    """Counts that several processes may raise at once. Raises DatabaseError where the database is away."""

    STORAGE_SCHEME = ["database"]  # noqa: RUF012 (the library's own form)

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, *, database: Database) -> None:
        super().__init__(uri, wrap_exceptions)
        self._database = database
        self._insert: Any = sqlite.insert if database.sqlite else postgresql.insert
        self._last_sweep, self._sweep_lock = time.monotonic(), threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """The exceptions of this storage, for `limits` to wrap."""
        return DatabaseError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Raise the count by `amount`; returns it."""
        return self.incr_with_expiry(key, expiry, amount)[0]

    def incr_with_expiry(self, key: str, expiry: int, amount: int = 1) -> tuple[int, float]:
        """Raise the count; returns it and the end of its window, seconds since 1970.

        A window of `expiry` seconds begins with the first request in it.
        """
        now = self._database.now()
        expired = Counter.expires <= now
        insert = self._insert(Counter).values(key=key, amount=amount, expires=now + expiry)
        increments = {
            "amount": case((expired, amount), else_=Counter.amount + amount),
            "expires": case((expired, now + expiry), else_=Counter.expires),
        }
        statement = insert.on_conflict_do_update(index_elements=[Counter.key], set_=increments).returning(
            Counter.amount, Counter.expires
        )
        with self._database.writing() as session:
            row = session.execute(statement).one()
        self._sweep()
        return row.amount, row.expires

    def get(self, key: str) -> int:
        """The count in the current window, or 0."""
        return self.get_with_expiry(key)[0]

    def get_expiry(self, key: str) -> float:
        """When the window ends, in seconds since 1970; now where there is none."""
        return self.get_with_expiry(key)[1]

    def check(self) -> bool:
        """Whether the database answers."""
        self.get_with_expiry("")
        return True

    def reset(self) -> int:
        """Forget every count; returns how many there were."""
        with self._database.writing() as session:
            return len(session.execute(delete(Counter).returning(Counter.key)).all())

    def clear(self, key: str) -> None:
        """Forget the count of one key."""
        with self._database.writing() as session:
            session.execute(delete(Counter).where(Counter.key == key))

    def get_with_expiry(self, key: str) -> tuple[int, float]:
        """The count, and the end of its window in seconds since 1970."""
        live = Counter.expires > self._database.now()
        query = select(Counter.amount, Counter.expires).where(Counter.key == key, live)
        with self._database.reading() as session:
            row = session.execute(query).one_or_none()
        return (0, time.time()) if row is None else (row.amount, row.expires)

    def _sweep(self) -> None:
        """Remove expired rows, now and then; rows that another process holds are left to it."""
        with self._sweep_lock:
            if time.monotonic() - self._last_sweep < SWEEP_INTERVAL:
                return
            self._last_sweep = time.monotonic()
        expired = select(Counter.key).where(Counter.expires <= self._database.now()).with_for_update(skip_locked=True)
        with self._database.writing() as session:
            session.execute(delete(Counter).where(Counter.key.in_(expired)))
