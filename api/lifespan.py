"""The API's start and end: settings read, database open; running replies finish for a while, the others are kept.

Knows the server's signals and lifespan; nothing of routes. Whoever serves the page as well runs `lifespan` itself.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from types import FrameType

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http import auth, state
from api.http.exposure import warn_if_exposed
from api.http.log import configure_logging
from api.http.state import AppState
from api.http.trace import tracing
from conversations.replies import interrupt_all, running_replies
from conversations.store import State
from settings import SettingsError

log = logging.getLogger(__name__)
CLOSE_TIMEOUT = 4.0  # seconds for connections to close after the last reply


class LifespanMiddleware:
    """Middleware: lives from the server's start to its end; refuses to start, in one line, where a setting is wrong."""

    def __init__(self, app: ASGIApp, lifespan: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self.app, self.lifespan = app, lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        async with AsyncExitStack() as life:
            try:
                await life.enter_async_context(self.lifespan())
            except SettingsError as error:
                await receive()
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return

            async def sending(message: Message) -> None:
                if message["type"].startswith("lifespan.shutdown"):
                    await life.aclose()  # before the server hears of it: after that it does not wait for us
                await send(message)

            await self.app(scope, receive, sending)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """While the server runs. Raises SettingsError."""
    found = state.create_state()
    auth.check_keys(found)
    found.sms.check()
    with configure_logging(found.api), tracing(found.api):
        state.install_state(app, found)
        warn_if_exposed(found, found.settings.host)
        with _handle_signals(found):
            yield
        await drain(found)
        await run_in_threadpool(found.limits.flush)
    interrupt_all()  # a server that is told to end dies of the signal, and nothing else runs after this


async def drain(found: AppState) -> None:
    """No new work; running replies finish, or are ended after SHUTDOWN_GRACE and kept as interrupted."""
    found.shutting_down = True
    await _wait_replies(found.api.shutdown_grace)
    left = running_replies()
    if left:
        log.warning("%s replies did not finish within %g seconds", len(left), found.api.shutdown_grace)
    for reply in left:
        reply.stop(State.INTERRUPTED)
    await _wait_replies(CLOSE_TIMEOUT)


async def _wait_replies(seconds: float) -> None:
    """Until every reply has ended, but no longer."""
    waiting = [asyncio.ensure_future(reply.join()) for reply in running_replies()]
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=seconds)
        for task in late:
            task.cancel()


@contextmanager
def _handle_signals(found: AppState) -> Iterator[None]:
    """Hears of the signal to end before the server does: that one waits for its clients first, however long."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def handler(number: int, frame: FrameType | None) -> None:
        if not found.shutting_down:
            found.shutting_down = True
            loop.call_soon_threadsafe(
                lambda: tasks.add(asyncio.ensure_future(_force_end(found, before[signal.SIGINT])))
            )
        old = before[signal.Signals(number)]
        if callable(old):
            old(number, frame)

    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for number, old in before.items():
            signal.signal(number, old)


async def _force_end(found: AppState, interrupted: object) -> None:
    """A client that never reads must not hold the server up: after the last reply the signal is given once more."""
    await drain(found)
    await asyncio.sleep(CLOSE_TIMEOUT)
    interrupt_all()
    if callable(interrupted):
        interrupted(signal.SIGINT, None)
