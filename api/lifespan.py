"""The API's start and end: settings read, database open; running replies finish for a while, the others are kept.

Knows the server's signals and lifespan; nothing of routes. A server that has the page as well runs `lifespan` itself.
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

from api.http import auth
from api.http.exposure import warn_if_exposed
from api.http.log import configure_logging
from api.http.state import AppState, create_state, install_state
from api.http.trace import tracing
from api.mcp.routes import serving
from conversations.library import reading, vectors
from conversations.replies import interrupt_all, running_replies
from conversations.store import State, responses
from settings import SettingsError

log = logging.getLogger(__name__)
CLOSE_TIMEOUT = 4.0  # seconds for connections to close after the last reply


class LifespanMiddleware:
    """Middleware: runs `lifespan` from the server's start to its end; a wrong setting fails the start in one line."""

    def __init__(self, app: ASGIApp, lifespan: Callable[[], AbstractAsyncContextManager[None]]) -> None:
        self.app, self.lifespan = app, lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.lifespan())
            except SettingsError as error:
                await receive()
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return

            async def send_after_drain(message: Message) -> None:
                if message["type"].startswith("lifespan.shutdown"):
                    await stack.aclose()  # before the server hears of it: after that it does not wait for us
                await send(message)

            await self.app(scope, receive, send_after_drain)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The API's life, while the server runs. Raises SettingsError for what is wrong at the start."""
    state = create_state()
    auth.check_keys(state)
    state.sms.check()
    with configure_logging(state.api), tracing(state.api):
        install_state(app, state)
        await run_in_threadpool(responses.purge, state.database)
        await run_in_threadpool(vectors.resume, state.database)
        await run_in_threadpool(reading.resume, state.database)
        warn_if_exposed(state, state.settings.host)
        async with serving(app, state):
            with _handle_signals(state):
                yield
            await drain(state)
        await run_in_threadpool(vectors.stop, state.database, CLOSE_TIMEOUT)
        await run_in_threadpool(state.limits.flush)
    interrupt_all()  # a server that gets a signal to end dies of it, and nothing else runs after this


async def drain(state: AppState) -> None:
    """Take no new work; let running replies finish, and end those that need more than SHUTDOWN_GRACE as interrupted."""
    state.shutting_down = True
    await _wait_replies(state.api.shutdown_grace)
    left = running_replies()
    if left:
        log.warning("%s replies did not finish within %g seconds", len(left), state.api.shutdown_grace)
    for reply in left:
        reply.stop(State.INTERRUPTED)
    await _wait_replies(CLOSE_TIMEOUT)


async def _wait_replies(seconds: float) -> None:
    """Wait until every reply has ended, `seconds` at most."""
    waiting = [asyncio.ensure_future(reply.join()) for reply in running_replies()]
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=seconds)
        for task in late:
            task.cancel()


@contextmanager
def _handle_signals(state: AppState) -> Iterator[None]:
    """Drain at the signal to end, before the server handles it: that one waits for its clients first, however long."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}

    def handler(signum: int, frame: FrameType | None) -> None:
        if not state.shutting_down:
            state.shutting_down = True
            loop.call_soon_threadsafe(
                lambda: tasks.add(asyncio.ensure_future(_force_end(state, before[signal.SIGINT])))
            )
        handler_before = before[signal.Signals(signum)]
        if callable(handler_before):
            handler_before(signum, frame)

    for signum in before:
        signal.signal(signum, handler)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for signum, handler_before in before.items():
            signal.signal(signum, handler_before)


async def _force_end(state: AppState, on_interrupt: object) -> None:
    """Drain, then repeat the signal: a client that never reads must not hold the server up."""
    await drain(state)
    await asyncio.sleep(CLOSE_TIMEOUT)
    interrupt_all()
    if callable(on_interrupt):
        on_interrupt(signal.SIGINT, None)
