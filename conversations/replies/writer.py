"""Keeps the replies of this process in the database while they grow: text, heartbeat, and whether one is to stop.

Knows jobs and the message table; nothing of models, owners or pages. One transaction saves all replies at once.
"""

import asyncio
import atexit
import logging
import os
import secrets
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from chains.report import Report
from conversations.replies.loop import loop
from conversations.replies.relay.relay import ReplyRelay
from conversations.replies.reply import Reply
from conversations.store.database import Database, DatabaseError
from conversations.store.schema import LIVE, Message, State
from conversations.store.text import searched_words

log = logging.getLogger(__name__)
PAUSE = 0.4  # seconds between two saves
TRIES = 720  # of the last save, each after twice the wait: a database may be away for an hour
MAX_PAUSE = 5.0  # seconds between two of them
PROCESS = f"{socket.gethostname()[:50]}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass
class Record:
    """A reply's record: what writes it into its message's row.

    `tokens` and `milliseconds` are those of an earlier try that it goes on with.
    """

    writer: "ReplyWriter"
    number: int
    tokens: int = 0
    milliseconds: float = 0.0

    def start(self, reply: Reply) -> None:
        """Begin to save the reply; its row already names this process. Called from any thread."""
        self.writer.replies[self.number] = reply
        self.writer.active[self.number] = self, reply
        loop().call_soon_threadsafe(self.writer.start)
        self.writer.relay.start()

    async def finish(self, reply: Reply) -> None:
        """Save the reply for the last time, trying for an hour; afterwards watchers are served from the table."""
        self.writer.finishing[self.number] = self, reply
        self.writer.active.pop(self.number, None)
        for attempt in range(TRIES):
            saved = await self.writer.write({self.number: self.columns(reply)})
            if saved is not None or self.writer.database.closed:
                break
            await asyncio.sleep(min(MAX_PAUSE, PAUSE * 2 ** min(attempt, 9)))
        self.writer.finishing.pop(self.number, None)
        self.writer.replies.pop(self.number, None)

    def columns(self, reply: Reply) -> dict[str, Any]:
        """The columns of the message's row, by name, with the reply as it is now."""
        report = reply.report
        until = report.ended if report.ended is not None else time.monotonic() - report.started
        written = report.completion_tokens
        return {
            "text": reply.text,
            "state": reply.state,
            "backend": report.backend,
            "model": report.model,
            "prompt_tokens": report.prompt_tokens,
            "completion_tokens": None if written is None else written + report.written_before + self.tokens,
            "counted": report.counted,
            "estimated": report.estimated,
            "ttft_ms": report.ttft_ms,
            "duration_ms": round(until * 1000 + self.milliseconds, 1),
            "tokens_per_second": report.tokens_per_second,
            "stop_reason": report.stop_reason,
            **thinking_columns(report),
            "retries": len(report.retries),
            "error": reply.error,
            "window": report.window,
            "dropped": report.dropped_messages,
        }


class Asked(NamedTuple):
    """The message numbers of replies that somebody stopped, deleted or took over, and of those that are to answer."""

    stopping: list[int]
    answering: list[int]


def thinking_columns(report: Report) -> dict[str, Any]:
    """The columns of what a model thought before it answered; none where it did not."""
    if report.thinking_ms is None:
        return {}
    return {
        "thinking": report.thinking.text,
        "thinking_folded": searched_words(report.thinking.text),
        "thinking_tokens": report.thinking_tokens,
        "thinking_ms": report.thinking_ms,
    }


class ReplyWriter:
    """The replies that this process writes into one database, by their message's number."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.replies: dict[int, Reply] = {}
        self.active: dict[int, tuple[Record, Reply]] = {}  # whose last save is not under way
        self.finishing: dict[int, tuple[Record, Reply]] = {}  # whose last save is
        self.relay = ReplyRelay(database, self.replies, PROCESS)
        self._saving: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(
            1, "reply-writer"
        )  # one: saves keep their order, and wait for no model to load

    def interrupt(self) -> None:
        """Save what every reply has so far as interrupted, since this process ends; another one may continue it.

        Raises DatabaseError, SQLAlchemyError.
        """
        self.relay.close()  # first: nobody reads text that is not saved
        rows = self._rows() | {number: entry.columns(reply) for number, (entry, reply) in list(self.finishing.items())}
        for values in rows.values():
            values["state"] = State.INTERRUPTED if values["state"] in LIVE else values["state"]
        self._save(rows)

    def start(self) -> None:
        """Begin to save at intervals, if it does not yet. Called in the loop."""
        if self._saving is None:
            self._saving = asyncio.create_task(self._save_regularly())

    async def _save_regularly(self) -> None:
        try:
            while self.active:
                await asyncio.sleep(PAUSE)
                asked = await self.write(self._rows())
                for number in asked.stopping if asked else ():
                    if number in self.active:
                        self.active[number][1].stop()
                for number in asked.answering if asked else ():
                    if number in self.active:
                        self.active[number][1].answer_now()
        finally:  # else the next reply would find it beating
            self._saving = None

    def _rows(self) -> dict[int, dict[str, Any]]:
        return {number: entry.columns(reply) for number, (entry, reply) in list(self.active.items())}

    async def write(self, rows: dict[int, dict[str, Any]]) -> Asked | None:
        """What somebody asks of the replies; None where nothing could be saved, which is logged.

        `rows` are columns by message number, all saved in one transaction.
        """
        try:
            return await loop().run_in_executor(self._thread, self._save, rows)
        except (DatabaseError, SQLAlchemyError) as error:
            log.warning("replies could not be saved, trying again: %s", " ".join(str(error).split())[:200])
        except RuntimeError:  # the interpreter is ending: no thread starts any more, and interrupt() saves
            log.debug("replies are saved by interrupt()", exc_info=True)
        return None

    def _save(self, rows: dict[int, dict[str, Any]]) -> Asked:
        """What somebody asks of the replies. Raises SQLAlchemyError."""
        asked = Asked([], [])
        if not rows:
            return asked
        with self.database.writing() as session:
            for number, values in sorted(rows.items()):
                is_own = (Message.id == number, Message.process == PROCESS)
                words = searched_words(values["text"])
                query = update(Message).where(*is_own).values(heartbeat=self.database.now(), folded=words, **values)
                marks = session.execute(query.returning(Message.stopping, Message.answering)).first()
                if marks is None or marks.stopping:
                    asked.stopping.append(number)
                elif marks.answering:
                    asked.answering.append(number)
        return asked


_writers: dict[Database, ReplyWriter] = {}
_lock = threading.Lock()


def reply_writer(database: Database) -> ReplyWriter:
    """The writer of a database in this process, one for each."""
    with _lock:
        if not _writers:
            atexit.register(interrupt_all)  # this late, so that it runs before the backends are unloaded
        if database not in _writers:
            _writers[database] = ReplyWriter(database)
        return _writers[database]


def interrupt_all() -> None:
    """Save the replies of every database as interrupted, before the interpreter ends; a failure is logged."""
    for each in list(_writers.values()):
        try:
            each.interrupt()
        except (DatabaseError, SQLAlchemyError) as error:
            log.warning("replies could not be saved at the end: %s", type(error).__name__)
