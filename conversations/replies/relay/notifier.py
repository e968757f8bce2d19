"""Notifications between the processes of one PostgreSQL database: sent with NOTIFY, received on a channel with LISTEN.

Knows the listening connection, and how it comes back; nothing of what the payloads mean. It may lose some, and says so.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError

from conversations.replies.loop import loop
from conversations.store.database import Database

log = logging.getLogger(__name__)
FIRST_PAUSE, MAX_PAUSE = 0.2, 30.0  # seconds before what failed is tried again, each time twice as many
PROBE_TIMEOUT = 5.0  # seconds in which a notification to oneself has to come
CLOSE_TIMEOUT = 2.0  # seconds for the connection to close
HELLO = "hello"
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}  # seconds, for libpq
# No payload is worth a flush of the disk, for which everybody who notifies at this moment would wait.
NOTIFY = text(
    "SELECT set_config('synchronous_commit', 'off', true), pg_notify(note.channel, note.payload) "
    "FROM unnest(CAST(:channels AS text[]), CAST(:payloads AS text[])) AS note(channel, payload)"
)


def channel_of(process: str) -> str:
    """The name of the channel on which a process listens."""
    return "llm_assistant_" + sha256(process.encode()).hexdigest()[:32]


def is_supported(database: Database) -> bool:
    """Whether this database has LISTEN and NOTIFY."""
    return database.engine.dialect.name == "postgresql" and database.engine.driver == "psycopg"


class PgNotifier:
    """The notifications of this process; in the loop `receive` is called with each payload.

    `on_connected` is called, there too, whenever they begin to come.
    """

    def __init__(
        self, database: Database, channel: str, receive: Callable[[str], None], on_connected: Callable[[], None]
    ) -> None:
        self.database, self.channel = database, channel
        self.connected = self.closed = False  # connected: a notification to oneself has come
        self._receive, self._on_connected = receive, on_connected
        self._unsent: list[tuple[str, str]] = []
        self._listening: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._probe_timer: asyncio.TimerHandle | None = None
        self._warned = False
        self._thread = ThreadPoolExecutor(1, "notifier")  # one: notifications keep their order
        event.listen(database.engine, "engine_disposed", lambda _: self.close())

    def start(self) -> None:
        """Begin to listen, if it does not yet. From any thread."""
        if self._listening is None and not self.closed:
            loop().call_soon_threadsafe(self._start)

    def _start(self) -> None:
        if self._listening is None and not self.closed:
            self._listening = loop().create_task(self._listen())

    def send(self, channel: str, payload: str) -> None:
        """Send a payload to a channel, with all that is sent meanwhile in one transaction. Called in the loop."""
        if self.closed:
            return
        self._unsent.append((channel, payload))
        if self._sending is None:
            self._sending = loop().create_task(self._send())

    def close(self) -> None:
        """Close the connection; nothing is sent any more when it returns. From any thread but the loop's."""
        if self.closed:
            return
        self.closed, self.connected = True, False
        if self._listening is not None or self._sending is not None:
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._close(), loop()).result(CLOSE_TIMEOUT)
        self._thread.shutdown(wait=False)

    async def _close(self) -> None:
        self._unsent.clear()
        tasks = [task for task in (self._listening, self._sending) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self) -> None:
        try:
            while self._unsent:
                unsent, self._unsent = self._unsent, []
                await loop().run_in_executor(self._thread, self._notify, unsent)
        except SQLAlchemyError as error:
            self._warn(error)
        except RuntimeError:  # the interpreter is ending: no thread starts any more
            log.debug("notifications are not sent any more", exc_info=True)
        finally:
            self._sending = None

    def _notify(self, unsent: list[tuple[str, str]]) -> None:
        engine = self.database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(
                NOTIFY, {"channels": [channel for channel, _ in unsent], "payloads": [payload for _, payload in unsent]}
            )

    async def _listen(self) -> None:
        """Listen until the database is closed, connecting again after each failure."""
        import psycopg  # here: who keeps his conversations in a file does without

        pause = FIRST_PAUSE
        while not self.closed:  # it may have been while this task was made
            try:
                await self._listen_once()
            except psycopg.Error as error:
                pause = FIRST_PAUSE if self.connected else pause
                self.connected = False
                self._warn(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_PAUSE)

    async def _listen_once(self) -> None:
        """Listen until the connection breaks. Raises psycopg.Error."""
        import psycopg
        from psycopg import sql

        _, arguments = self.database.engine.dialect.create_connect_args(self.database.url)
        options: dict[str, Any] = {**KEEPALIVE, **arguments}
        connection = await psycopg.AsyncConnection.connect(**options, autocommit=True)
        try:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self.channel)))
            self._probe(PROBE_TIMEOUT)
            async for notification in connection.notifies():
                self._handle(notification.payload)
        finally:
            self._end_probe()
            await connection.close()

    def _handle(self, payload: str) -> None:
        """Pass a payload on; the first HELLO proves that they come."""
        if payload != HELLO:
            self._receive(payload)
        elif not self.connected:
            self._end_probe()
            self.connected, self._warned = True, False
            self._on_connected()

    def _probe(self, seconds: float) -> None:
        """Notify oneself: a pooler that lends connections for one transaction passes nothing on, and says nothing."""
        self.send(self.channel, HELLO)
        self._probe_timer = loop().call_later(seconds, self._probe_failed)

    def _probe_failed(self) -> None:
        self._warn(TimeoutError())
        self._probe(MAX_PAUSE)

    def _end_probe(self) -> None:
        if self._probe_timer is not None:
            self._probe_timer.cancel()

    def _warn(self, error: Exception) -> None:
        """Log an error, once until it is connected again. Its text may name addresses, and is left out."""
        if not (self._warned or self.closed or self.database.closed):
            self._warned = True
            log.warning("replies of other processes are read from the table for now: %s", type(error).__name__)
