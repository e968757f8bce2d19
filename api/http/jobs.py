"""Replies for a request: begun in places of the queue, awaited or streamed, and ended with the client.

Knows replies and connections; nothing of what is asked or how it is answered.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.http.errors import CLIENT_CLOSED, ApiError, to_api_error
from api.http.state import AppState
from conversations.replies import Reply
from conversations.store import State

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Job:
    """The replies of one request. `close` ends those that still run, and frees their places; call it whatever happens.

    Raises ApiError 503 at once where too many wait already, or the server is ending.
    """

    def __init__(self, state: AppState, backend: str, begin: Sequence[Callable[[], Reply]]) -> None:
        """`begin` starts each reply, and is called only where there is room for all."""
        if state.shutting_down:
            raise shutting_down_error()
        self.state, self.replies = state, list[Reply]()
        self._held = ExitStack()
        self._held.enter_context(state.queues.reserve(backend, state.api.max_queue, len(begin)))
        try:
            self.replies.extend(start() for start in begin)
        except BaseException:
            self.close()
            raise

    @classmethod
    async def start_in_thread(
        cls,
        state: AppState,
        backend: str,
        begin: Callable[[], tuple[Result, Reply]],
        threads: CapacityLimiter | None = None,
    ) -> tuple["Job", Result]:
        """The same for one reply whose beginning waits for a database; with what `begin` gives beside it.

        It runs in one of these threads, or of those that everything has.
        """
        work = cls(state, backend, ())
        try:
            work._held.enter_context(state.queues.reserve(backend, state.api.max_queue))
            beside, reply = await to_thread.run_sync(begin, limiter=threads)
            work.replies.append(reply)
        except BaseException:
            work.close()
            raise
        return work, beside

    def close(self) -> None:
        """Nobody waits any more."""
        for reply in self.replies:
            if reply.running:
                reply.stop()
        self._held.close()

    async def wait(self, request: Request) -> None:
        """Until all have ended well. Raises ApiError for a failure, a timeout, a client gone, the end of the server."""
        try:
            await run_while_connected(request, self._wait_all(), self.state.api.reply_timeout)
        finally:
            self.close()
        for reply in self.replies:
            raise_for_state(reply)

    async def wait_first(self, request: Request) -> None:
        """Until there is a first piece, so that a failure before it has a status of its own. Raises as `over`."""
        try:
            await run_while_connected(request, _wait_first_piece(self.replies[0]), self.state.api.reply_timeout)
            if not self.replies[0].text:
                raise_for_state(self.replies[0])
        except BaseException:
            self.close()
            raise

    async def _wait_all(self) -> None:
        for reply in self.replies:
            await reply.join()


def shutting_down_error() -> ApiError:
    """The answer to new work while the server ends."""
    return ApiError(503, "The server is ending. Try again in a moment.", code="ending", headers={"Retry-After": "5"})


def raise_for_state(reply: Reply) -> None:
    """Raises ApiError for a reply that came to no good end."""
    if reply.failure is not None:
        raise to_api_error(reply.failure)
    if reply.state == State.INTERRUPTED:
        raise ApiError(503, "The server is ending; the reply was cut short.", code="ending")
    if reply.state == State.STOPPED:
        raise ApiError(503, "The reply was stopped.", code="stopped")


async def run_while_connected(request: Request, work: Awaitable[Result], seconds: float) -> Result:
    """The result of `work`, which ends where the client does. Raises ApiError 504, and 499 that nobody reads."""
    job = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_wait_disconnect(request))
    try:
        await asyncio.wait({job, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if job.done():
            return job.result()
        if gone.done():
            raise ApiError(CLIENT_CLOSED, "The client is gone.")
        raise ApiError(504, f"The reply took longer than {seconds:g} seconds (REPLY_TIMEOUT).", code="timeout")
    finally:
        job.cancel()
        gone.cancel()


async def _wait_disconnect(request: Request) -> None:
    """Until the client is gone; its body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _wait_first_piece(reply: Reply) -> None:
    async for _ in reply.follow():
        return


class EventStream(StreamingResponse):
    """Server-sent events of some work, which ends when the client is gone or stops reading."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], work: Job) -> None:
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            async with asyncio.timeout(self._work.state.api.send_timeout):
                await send(message)

        try:
            await super().__call__(scope, receive, sending)
        except TimeoutError:  # the server then closes the connection, since the answer has no end
            log.warning("a client did not read for %g seconds (SEND_TIMEOUT)", self._work.state.api.send_timeout)
        finally:
            self._work.close()
