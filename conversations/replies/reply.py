"""One reply being generated: a task that outlives the page that asked, watched by any number, stopped by one call.

Knows where its text comes from, its recorder and its listeners; nothing of pages or tables, and of models only how far
one is loaded.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, NamedTuple, Protocol

from langchain_core.exceptions import ModelError
from langchain_core.messages.tool import ToolCallChunk

import backends
from backends import ThinkingControl
from chains.report import Report
from chains.thinking import Thinking
from conversations.replies.loop import loop
from conversations.store.database import DatabaseError
from conversations.store.schema import State
from conversations.store.text import clean

log = logging.getLogger(__name__)
StreamFactory = Callable[["Reply"], AsyncIterator[str]]
PAUSE = 0.04  # seconds between two parts for a subscriber: each has its price, and nobody reads faster
ONLY_THOUGHT = "The reply ended inside its thinking: raise max_tokens, or set a reasoning_budget."
listeners: list[Callable[["Reply"], None]] = []  # called in the loop with every reply of this process that has ended
_running: set["Reply"] = set()


class ApprovalRequiredError(Exception):
    """A call of a tool waits for a person: the reply ends for now, and goes on with his answer."""


class Recorder(Protocol):
    """What keeps a reply: started before it runs, and awaited at its end before any listener."""

    def start(self, reply: "Reply") -> None:
        """Begin to keep the reply, which grows from now on."""

    async def finish(self, reply: "Reply") -> None:
        """Keep the reply as it has ended."""


class ThinkingPart(NamedTuple):
    """A piece of what the model thinks before it answers."""

    text: str


Part = str | ThinkingPart | list[ToolCallChunk]


class Reply:
    """Text that grows in the background loop. Read `text`, `state`, `report` and `error` from any thread."""

    def __init__(
        self,
        stream: StreamFactory,
        text: str = "",
        recorder: Recorder | None = None,
        thinking: Thinking | None = None,
        *,
        is_temporary: bool = False,
    ) -> None:
        """Start the task; `stream` yields what is added to `text`, and `recorder` keeps it. From any thread.

        `thinking` is what the reply has thought already, where it goes on in the middle of that. `is_temporary`: its
        words are nobody's to keep, in whatever log or trace.
        """
        self.text, self.is_temporary = text, is_temporary
        self.state = State.WAITING
        self.error: str | None = None
        self.failure: BaseException | None = None  # the exception that `error` describes
        self.report = Report(thinking)
        self.report.on_thinking = self._notify
        self.control = ThinkingControl()  # of its thinking, where the model is in this process
        self.calls: list[ToolCallChunk] = []  # pieces of calls that whoever asked for the reply carries out
        self.activity: str | None = None  # what it does before its first word, where that takes long
        self.calls_over = 0  # calls of tools that are over
        self._finished = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._stop_state: State | None = None  # once a stop was asked for
        self._subscribers: list[Subscriber] = []
        _running.add(self)
        if recorder is not None:
            recorder.start(self)
        loop().call_soon_threadsafe(self._schedule, stream, recorder)

    @property
    def running(self) -> bool:
        """Whether it has not ended, so that more may come."""
        return not self._finished.is_set()

    @property
    def note(self) -> str | None:
        """What a program's reader has to know where it ended with thinking alone; None where it did not."""
        thought = self.report.thinking.text and not (self.text or self.calls)
        return ONLY_THOUGHT if thought and not self.running else None

    def stop(self, state: State = State.STOPPED) -> None:
        """Cancel the task; the engine stops within one token, the text so far stays, and `state` says why."""
        loop().call_soon_threadsafe(self._cancel, state)

    def answer_now(self) -> None:
        """End its thinking within one token, so that the answer follows. From any thread."""
        self.control.end()

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it has ended within `timeout` seconds (None: however long it takes); blocks the thread."""
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

    def add_calls(self, pieces: Sequence[ToolCallChunk]) -> None:
        """Add pieces of calls, which whoever asked for the reply carries out."""
        self.calls.extend(pieces)

    def follow(self, after: int = 0) -> AsyncIterator[str]:
        """Yield what is added beyond `after` characters until the end, the first part at once; in any event loop."""
        return self._follow(after, with_all=False)

    def follow_parts(self, after: int = 0, known: int = 0) -> AsyncIterator[Part]:
        """Yield what is added until the end: text beyond `after` characters, thinking beyond `known`, and pieces of
        calls; in any event loop."""
        return self._follow(after, with_all=True, known=known)

    async def _follow(self, after: int, with_all: bool, known: int = 0) -> AsyncIterator[Any]:
        subscriber, told, seen = Subscriber(), 0, self.report.thinking
        self._subscribers.append(subscriber)
        try:
            while True:
                running, text = self.running, self.text
                if self.report.thinking is not seen:  # what was told was that of a try that failed
                    known, seen = 0, self.report.thinking
                thinking = seen.text if with_all else ""
                calls = self.calls[told:] if with_all else []
                if len(thinking) > known:
                    yield ThinkingPart(thinking[known:])
                    known = len(thinking)
                if len(text) > after or calls:
                    if len(text) > after:
                        yield text[after:]
                    if calls:
                        yield calls
                    after, told = len(text), told + len(calls)
                    if running:  # a subscriber from after the end gets no notice of it
                        await subscriber.pause()
                elif running:
                    await subscriber.wait()
                else:
                    return
        finally:
            self._subscribers.remove(subscriber)

    def start(self) -> None:
        """Set the state to running: the stream calls it when it waits for nothing any more."""
        self.state = State.RUNNING

    def _schedule(self, stream: StreamFactory, recorder: Recorder | None) -> None:
        self._task = asyncio.create_task(self._run(stream))
        self._supervisor = asyncio.create_task(self._supervise(self._task, recorder))

    def _cancel(self, state: State) -> None:
        if self._task is not None:  # None after the end
            self._stop_state = state
            self._task.cancel()

    async def _run(self, stream: StreamFactory) -> None:
        with _untraced() if self.is_temporary else nullcontext():
            async for part in stream(self):
                if self._stop_state is not None:  # the cancellation was lost: wait_for of Python 3.11 can do that
                    self._cancel(self._stop_state)
                    continue
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
        """Call the listeners, then wake whoever waits for the end."""
        _running.discard(self)
        try:
            for listener in listeners:
                listener(self)
        finally:
            self._finished.set()
            self._notify(finished=True)

    def _set_outcome(self, task: asyncio.Task[None]) -> None:
        """Set the state after the end, and after a failure its exception and text."""
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self.state = self._stop_state or State.STOPPED
        elif error is None:
            self.state = State.DONE
        elif isinstance(error, ApprovalRequiredError):
            self.state = State.REQUIRES_ACTION
        else:
            self.state = State.FAILED
            self.failure = error
            self.report.stop_reason = type(error).__name__  # the kind of failure, to be counted
            is_explained = isinstance(error, (ModelError, DatabaseError))  # its text is written for people
            self.error = str(error) if is_explained else f"{type(error).__name__}: {error}"
            is_quiet = is_explained or self.is_temporary
            log.warning("a reply failed: %s", type(error).__name__, exc_info=None if is_quiet else error)


def _untraced() -> AbstractContextManager[None]:
    """A block of which LangChain tells LangSmith nothing, whatever the environment says."""
    from langsmith import tracing_context

    return tracing_context(enabled=False)


class Subscriber:
    """A wake-up for one follower of a reply, in the event loop that made it; one for all that came meanwhile."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed, self._finished = asyncio.Event(), asyncio.Event()
        self._notified = self._paused = False

    def notify(self, finished: bool) -> None:
        """Wake the follower: there is more text, or the end. From any thread."""
        if finished or not (self._notified or self._paused):
            self._notified = True
            with suppress(RuntimeError):  # the subscriber's loop is closed: nobody waits
                if finished:
                    self._loop.call_soon_threadsafe(self._finished.set)
                self._loop.call_soon_threadsafe(self._changed.set)

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until something has changed, at most `seconds` (None: however long it takes)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()
        self._notified = False

    async def join(self) -> None:
        """Wait until the reply has ended."""
        await self._finished.wait()

    async def pause(self) -> None:
        """Wait PAUSE seconds, or until the reply has ended; what comes meanwhile wakes nobody."""
        self._paused = True
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await self._finished.wait()
        self._paused = False


def describe_wait(reply: Reply | None) -> str:
    """What a reply without text waits for, as a line for people; None stands for one of another process."""
    if reply is None:
        return "Thinking…"
    if reply.activity:
        return reply.activity
    report = reply.report
    if report.queue_position:
        return f"{report.queue_position} before you…"
    if report.retries:
        return f"Trying again: {report.retries[-1]}"
    if report.loading is not None:
        return _describe_loading(report.loading)
    if report.thinking.is_open:
        return f"Thinking for {report.thinking.seconds or 0:.0f} s…"
    return "Loading the model…" if report.backend is None else "Thinking…"


def _describe_loading(backend: str) -> str:
    """How far the model is that a reply waits for."""
    fraction = backends.loading_progress(backend)
    return f"Loading {backend}: {fraction:.0%}…" if fraction else "Loading the model…"


def running_replies() -> list[Reply]:
    """The replies of this process that have not ended, recorded or not."""
    return list(_running)
