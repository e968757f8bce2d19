"""One answer being generated: a task that outlives the page that asked, watched by any number, stopped by one call.

Knows a chain by its `astream`; nothing of pages or models.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from langchain_core.exceptions import ModelError
from langchain_core.runnables import Runnable

from chains.report import Report
from conversations.loop import loop

log = logging.getLogger(__name__)
Chain = Runnable[dict[str, Any], str]
Inputs = Callable[[], dict[str, Any]]


class State(StrEnum):
    """Where a reply stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class Reply:
    """Text that grows in the background loop. Read `text`, `state`, `report` and `error` from any thread."""

    def __init__(self, chain: Chain, inputs: Inputs, after: "Reply | None" = None) -> None:
        """`inputs` is called when the reply starts, which is when `after` has ended."""
        self.text = ""
        self.state = State.WAITING
        self.error: str | None = None
        self.report = Report()
        self._over = threading.Event()
        self._ended = asyncio.Event()  # the same, for tasks of the loop
        self._task: asyncio.Task[None] | None = None
        loop().call_soon_threadsafe(self._start, chain, inputs, after)  # kept nowhere: they hold all turns before

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

    def _start(self, chain: Chain, inputs: Inputs, after: "Reply | None") -> None:
        self._task = loop().create_task(self._run(chain, inputs, after))
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:  # always so: calls into the loop keep their order
            self._task.cancel()

    async def _run(self, chain: Chain, inputs: Inputs, after: "Reply | None") -> None:
        if after is not None:
            await after._ended.wait()
        self.state = State.RUNNING
        async for part in chain.astream(inputs(), {"callbacks": [self.report]}):
            self.text += part

    def _end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self.state = State.STOPPED
        elif error is None:
            self.state = State.DONE
        else:
            self.state = State.FAILED
            self.error = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
            log.warning("a reply failed: %s", type(error).__name__, exc_info=not isinstance(error, ModelError))
        self._task = None
        self._over.set()
        self._ended.set()
