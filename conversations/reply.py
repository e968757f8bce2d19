"""One answer being generated: a task that outlives the page that asked, watched by any number, stopped by one call.

Knows where its text comes from and who is told of its end; nothing of pages, models or tables.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from langchain_core.exceptions import ModelError

from chains.report import Report
from conversations.database import DatabaseError
from conversations.loop import loop
from conversations.schema import State
from conversations.text import clean

log = logging.getLogger(__name__)
Parts = Callable[["Reply"], AsyncIterator[str]]


class Keeper(Protocol):
    """Who writes a reply down: told of its beginning before it runs, and awaited at its end before anybody else."""

    def begin(self, reply: "Reply") -> None:
        """From now on the reply grows."""

    async def end(self, reply: "Reply") -> None:
        """Nothing more comes."""


class Reply:
    """Text that grows in the background loop. Read `text`, `state`, `report` and `error` from any thread."""

    def __init__(self, parts: Parts, text: str = "", keeper: Keeper | None = None) -> None:
        """`parts` gives what is added to `text`."""
        self.text = text
        self.state = State.WAITING
        self.error: str | None = None
        self.report = Report()
        self.note: str | None = None  # what it does before its first word, where that takes long
        self._over = threading.Event()
        self._ended = asyncio.Event()  # the same, for tasks of the loop
        self._task: asyncio.Task[None] | None = None
        self._life: asyncio.Task[None] | None = None
        if keeper is not None:
            keeper.begin(self)
        loop().call_soon_threadsafe(self._start, parts, keeper)

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return not self._over.is_set()

    def stop(self) -> None:
        """Cancel the task; the engine stops within one token, the text so far stays."""
        loop().call_soon_threadsafe(self._cancel)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the end; False where it has not come in `timeout` seconds."""
        return self._over.wait(timeout)

    async def end(self) -> None:
        """The same for a task of the background loop."""
        await self._ended.wait()

    def begin(self) -> None:
        """Called by `parts` when nothing is waited for any more."""
        self.state = State.RUNNING

    def _start(self, parts: Parts, keeper: Keeper | None) -> None:
        self._task = loop().create_task(self._run(parts))
        self._life = loop().create_task(self._follow(self._task, keeper))

    def _cancel(self) -> None:
        if self._task is not None:  # None after the end
            self._task.cancel()

    async def _run(self, parts: Parts) -> None:
        async for part in parts(self):
            self.text += clean(part)

    async def _follow(self, task: asyncio.Task[None], keeper: Keeper | None) -> None:
        await asyncio.wait({task})
        self._settle(task)
        try:
            if keeper is not None:
                await keeper.end(self)
        finally:
            self._task = self._life = None
            self._over.set()
            self._ended.set()

    def _settle(self, task: asyncio.Task[None]) -> None:
        """The state after the end, and the failure's text."""
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self.state = State.STOPPED
        elif error is None:
            self.state = State.DONE
        else:
            self.state = State.FAILED
            self.report.stop_reason = type(error).__name__  # the kind of failure, to be counted
            told = isinstance(error, (ModelError, DatabaseError))  # in words for people
            self.error = str(error) if told else f"{type(error).__name__}: {error}"
            log.warning("a reply failed: %s", type(error).__name__, exc_info=None if told else error)
