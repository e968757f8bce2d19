"""One answer being generated: a task that outlives the page that asked, watched by any number, stopped by one call.

Knows where its text comes from and who is told of its end; nothing of pages, models or tables.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

from langchain_core.exceptions import ModelError

from chains.report import Report
from conversations.replies.loop import loop
from conversations.store.database import DatabaseError
from conversations.store.schema import State
from conversations.store.text import clean

log = logging.getLogger(__name__)
Parts = Callable[["Reply"], AsyncIterator[str]]
PAUSE = 0.04  # seconds between two pieces that a follower is given: each has its price, and nobody reads faster
listeners: list[Callable[["Reply"], None]] = []  # told of every reply of this process when it has ended, in the loop
_running: set["Reply"] = set()


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
        self.failure: BaseException | None = None  # what `error` says in words
        self.report = Report()
        self.note: str | None = None  # what it does before its first word, where that takes long
        self._over = threading.Event()
        self._ended = asyncio.Event()  # the same, for tasks of the loop
        self._task: asyncio.Task[None] | None = None
        self._life: asyncio.Task[None] | None = None
        self._stopped = State.STOPPED
        self._followers: list[Follower] = []
        _running.add(self)
        if keeper is not None:
            keeper.begin(self)
        loop().call_soon_threadsafe(self._start, parts, keeper)

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return not self._over.is_set()

    def stop(self, state: State = State.STOPPED) -> None:
        """Cancel the task; the engine stops within one token, the text so far stays, and `state` says why."""
        loop().call_soon_threadsafe(self._cancel, state)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the end; False where it has not come in `timeout` seconds."""
        return self._over.wait(timeout)

    async def end(self) -> None:
        """The same for a task of the background loop."""
        await self._ended.wait()

    async def over(self) -> None:
        """The same from any event loop."""
        follower = Follower()
        self._followers.append(follower)
        try:
            if self.running:
                await follower.end()
        finally:
            self._followers.remove(follower)

    async def follow(self, after: int = 0) -> AsyncIterator[str]:
        """What is added beyond `after` characters, from any event loop, until the end: the first piece at once."""
        follower = Follower()
        self._followers.append(follower)
        try:
            while True:
                running, text = self.running, self.text
                if len(text) > after:
                    yield text[after:]
                    after = len(text)
                    if running:  # who came after the end is not told of it
                        await follower.pause()
                elif running:
                    await follower.wait()
                else:
                    return
        finally:
            self._followers.remove(follower)

    def begin(self) -> None:
        """Called by `parts` when nothing is waited for any more."""
        self.state = State.RUNNING

    def _start(self, parts: Parts, keeper: Keeper | None) -> None:
        self._task = loop().create_task(self._run(parts))
        self._life = loop().create_task(self._follow(self._task, keeper))

    def _cancel(self, state: State) -> None:
        if self._task is not None:  # None after the end
            self._stopped = state
            self._task.cancel()

    async def _run(self, parts: Parts) -> None:
        async for part in parts(self):
            self.text += clean(part)
            self._wake()

    def _wake(self, over: bool = False) -> None:
        for follower in list(self._followers):
            follower.wake(over)

    async def _follow(self, task: asyncio.Task[None], keeper: Keeper | None) -> None:
        await asyncio.wait({task})
        self._settle(task)
        try:
            if keeper is not None:
                await keeper.end(self)
        finally:
            self._task = self._life = None
            self._conclude()

    def _conclude(self) -> None:
        """Who listens has heard of the end before who waits goes on."""
        _running.discard(self)
        try:
            for listener in listeners:
                listener(self)
        finally:
            self._over.set()
            self._ended.set()
            self._wake(over=True)

    def _settle(self, task: asyncio.Task[None]) -> None:
        """The state after the end, and the failure's text."""
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self.state = self._stopped
        elif error is None:
            self.state = State.DONE
        else:
            self.state = State.FAILED
            self.failure = error
            self.report.stop_reason = type(error).__name__  # the kind of failure, to be counted
            told = isinstance(error, (ModelError, DatabaseError))  # in words for people
            self.error = str(error) if told else f"{type(error).__name__}: {error}"
            log.warning("a reply failed: %s", type(error).__name__, exc_info=None if told else error)


class Follower:
    """Wakes who follows a reply in his own event loop, at most once for all that came meanwhile."""

    def __init__(self) -> None:
        self._here = asyncio.get_running_loop()
        self._more, self._over = asyncio.Event(), asyncio.Event()
        self._woken = self._resting = False

    def wake(self, over: bool) -> None:
        """From any thread: there is more, or the end."""
        if over or not (self._woken or self._resting):
            self._woken = True
            with suppress(RuntimeError):  # the follower's loop is closed: nobody is left to hear
                if over:
                    self._here.call_soon_threadsafe(self._over.set)
                self._here.call_soon_threadsafe(self._more.set)

    async def wait(self, seconds: float | None = None) -> None:
        """Until something has changed, but no longer than so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._more.wait()
        self._more.clear()
        self._woken = False

    async def end(self) -> None:
        """Until the reply is over."""
        await self._over.wait()

    async def pause(self) -> None:
        """Until PAUSE or the reply is over; what came meanwhile is seen at the next look."""
        self._resting = True
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._over.wait()
        self._resting = False


def doing(reply: Reply | None) -> str:
    """What a reply without words waits for."""
    if reply is None:
        return "Thinking…"
    if reply.note:
        return reply.note
    report = reply.report
    if report.queue_position:
        return f"{report.queue_position} before you…"
    if report.retries:
        return f"Trying again: {report.retries[-1]}"
    return "Loading the model…" if report.backend is None else "Thinking…"


def running() -> list[Reply]:
    """The replies of this process that have not ended, kept in a table or not."""
    return list(_running)
