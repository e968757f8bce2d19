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
StreamFactory = Callable[["Reply"], AsyncIterator[str]]
PAUSE = 0.04  # seconds between two pieces that a subscriber is given: each has its price, and nobody reads faster
listeners: list[Callable[["Reply"], None]] = []  # told of every reply of this process when it has ended, in the loop
_running: set["Reply"] = set()


class Recorder(Protocol):
    """Who writes a reply down: told of its beginning before it runs, and awaited at its end before anybody else."""

    def start(self, reply: "Reply") -> None:
        """From now on the reply grows."""

    async def finish(self, reply: "Reply") -> None:
        """Nothing more comes."""


class Reply:
    """Text that grows in the background loop. Read `text`, `state`, `report` and `error` from any thread."""

    def __init__(self, stream: StreamFactory, text: str = "", recorder: Recorder | None = None) -> None:
        """`stream` gives what is added to `text`."""
        self.text = text
        self.state = State.WAITING
        self.error: str | None = None
        self.failure: BaseException | None = None  # what `error` says in words
        self.report = Report()
        self.activity: str | None = None  # what it does before its first word, where that takes long
        self._finished = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stop_state = State.STOPPED
        self._subscribers: list[Subscriber] = []
        _running.add(self)
        if recorder is not None:
            recorder.start(self)
        loop().call_soon_threadsafe(self._schedule, stream, recorder)

    @property
    def running(self) -> bool:
        """Whether more may come."""
        return not self._finished.is_set()

    def stop(self, state: State = State.STOPPED) -> None:
        """Cancel the task; the engine stops within one token, the text so far stays, and `state` says why."""
        loop().call_soon_threadsafe(self._cancel, state)

    def wait(self, timeout: float | None = None) -> bool:
        """Block until the end; False where it has not come in `timeout` seconds."""
        return self._finished.wait(timeout)

    async def join(self) -> None:
        """Wait until the end, in any event loop."""
        subscriber = Subscriber()
        self._subscribers.append(subscriber)
        try:
            if self.running:
                await subscriber.join()
        finally:
            self._subscribers.remove(subscriber)

    async def follow(self, after: int = 0) -> AsyncIterator[str]:
        """What is added beyond `after` characters, from any event loop, until the end: the first piece at once."""
        subscriber = Subscriber()
        self._subscribers.append(subscriber)
        try:
            while True:
                running, text = self.running, self.text
                if len(text) > after:
                    yield text[after:]
                    after = len(text)
                    if running:  # who came after the end is not told of it
                        await subscriber.pause()
                elif running:
                    await subscriber.wait()
                else:
                    return
        finally:
            self._subscribers.remove(subscriber)

    def start(self) -> None:
        """Called by the stream when nothing is waited for any more."""
        self.state = State.RUNNING

    def _schedule(self, stream: StreamFactory, recorder: Recorder | None) -> None:
        self._task = asyncio.create_task(self._run(stream))
        self._supervisor = asyncio.create_task(self._supervise(self._task, recorder))

    def _cancel(self, state: State) -> None:
        if self._task is not None:  # None after the end
            self._stop_state = state
            self._task.cancel()

    async def _run(self, stream: StreamFactory) -> None:
        async for part in stream(self):
            self.text += clean(part)
            self._notify()

    def _notify(self, finished: bool = False) -> None:
        for subscriber in list(self._subscribers):
            subscriber.notify(finished)

    async def _supervise(self, task: asyncio.Task[None], recorder: Recorder | None) -> None:
        await asyncio.wait({task})
        self._set_outcome(task)
        try:
            if recorder is not None:
                await recorder.finish(self)
        finally:
            self._task = self._supervisor = None
            self._announce_end()

    def _announce_end(self) -> None:
        """Who listens has heard of the end before who waits goes on."""
        _running.discard(self)
        try:
            for listener in listeners:
                listener(self)
        finally:
            self._finished.set()
            self._notify(finished=True)

    def _set_outcome(self, task: asyncio.Task[None]) -> None:
        """The state after the end, and the failure's text."""
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self.state = self._stop_state
        elif error is None:
            self.state = State.DONE
        else:
            self.state = State.FAILED
            self.failure = error
            self.report.stop_reason = type(error).__name__  # the kind of failure, to be counted
            is_explained = isinstance(error, (ModelError, DatabaseError))  # in words for people
            self.error = str(error) if is_explained else f"{type(error).__name__}: {error}"
            log.warning("a reply failed: %s", type(error).__name__, exc_info=None if is_explained else error)


class Subscriber:
    """Wakes who follows a reply in his own event loop, at most once for all that came meanwhile."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed, self._finished = asyncio.Event(), asyncio.Event()
        self._notified = self._paused = False

    def notify(self, finished: bool) -> None:
        """From any thread: there is more, or the end."""
        if finished or not (self._notified or self._paused):
            self._notified = True
            with suppress(RuntimeError):  # the subscriber's loop is closed: nobody is left to hear
                if finished:
                    self._loop.call_soon_threadsafe(self._finished.set)
                self._loop.call_soon_threadsafe(self._changed.set)

    async def wait(self, seconds: float | None = None) -> None:
        """Until something has changed, but no longer than so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()
        self._notified = False

    async def join(self) -> None:
        """Until the reply is over."""
        await self._finished.wait()

    async def pause(self) -> None:
        """Until PAUSE or the reply is over; what came meanwhile is seen at the next look."""
        self._paused = True
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._finished.wait()
        self._paused = False


def describe_wait(reply: Reply | None) -> str:
    """What a reply without words waits for."""
    if reply is None:
        return "Thinking…"
    if reply.activity:
        return reply.activity
    report = reply.report
    if report.queue_position:
        return f"{report.queue_position} before you…"
    if report.retries:
        return f"Trying again: {report.retries[-1]}"
    return "Loading the model…" if report.backend is None else "Thinking…"


def running_replies() -> list[Reply]:
    """The replies of this process that have not ended, kept in a table or not."""
    return list(_running)
