"""Replies for a request: started in places of the queue, awaited or streamed, and ended with the client.

Knows replies and connections; nothing of what is asked or how it is answered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Request

from api.http.errors import CLIENT_CLOSED, ApiError, to_api_error
from api.http.state import AppState
from conversations.replies import Reply
from conversations.store import State

Result = TypeVar("Result")
LOOK, LOOKS = 0.4, 3  # how often a silent reply is looked at before its stream begins, in parts of KEEPALIVE_INTERVAL


class Job:
    """The replies of one request, in places of the queue. Call `close` whatever happens.

    Raises ApiError 503 at once where too many wait already, or the server is ending.
    """

    def __init__(self, state: AppState, backend: str, starters: Sequence[Callable[[], Reply]]) -> None:
        """`starters` start a reply each, and are called only where there is room for all."""
        if state.shutting_down:
            raise shutting_down_error()
        self.state, self.replies = state, list[Reply]()
        self._places = ExitStack()
        self._places.enter_context(state.queues.reserve(backend, state.api.max_queue, len(starters)))
        try:
            self.replies.extend(start() for start in starters)
        except BaseException:
            self.close()
            raise

    @classmethod
    async def start_in_thread(
        cls,
        state: AppState,
        backend: str,
        start: Callable[[], tuple[Result, Reply | None]],
        threads: CapacityLimiter | None = None,
    ) -> tuple["Job", Result]:
        """A job of one reply whose start waits for a database, or of none, and what `start` gives beside the reply.

        `start` runs in one of `threads`, or of the server's. Raises ApiError 503 as the constructor does.
        """
        job = cls(state, backend, ())
        try:
            job._places.enter_context(state.queues.reserve(backend, state.api.max_queue))
            result, reply = await to_thread.run_sync(start, limiter=threads)
            job.replies.extend([] if reply is None else [reply])
        except BaseException:
            job.close()
            raise
        return job, result

    def close(self) -> None:
        """Stop the replies that still run, and free their places."""
        for reply in self.replies:
            if reply.running:
                reply.stop()
        self._places.close()

    async def wait(self, request: Request) -> None:
        """Wait until all have ended well. Raises ApiError for a failure, a timeout, a client gone, the server's end."""
        try:
            await run_while_connected(request, self._wait_all(), self.state.api.reply_timeout)
        finally:
            self.close()
        for reply in self.replies:
            raise_for_state(reply)

    async def wait_first(self, request: Request) -> None:
        """Wait a moment for a first piece, so that a failure before it has a status of its own. Raises as `wait` does.

        A moment only, since proxies close a connection on which nothing comes; a little longer while the model is
        loaded or asked again, when a failure is likelier than from one that has been asked and is silent.
        """
        try:
            await run_while_connected(request, self._wait_first_piece(), self.state.api.reply_timeout)
            if not self.replies[0].text:
                raise_for_state(self.replies[0])
        except BaseException:
            self.close()
            raise

    async def _wait_first_piece(self) -> None:
        reply, seconds = self.replies[0], LOOK * self.state.api.keepalive_interval
        for _ in range(LOOKS):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    async for _ in reply.follow_parts():
                        return
                    return  # it has ended without one
            if reply.report.backend is not None and not reply.report.retries:
                return

    async def _wait_all(self) -> None:
        for reply in self.replies:
            await reply.join()


def shutting_down_error() -> ApiError:
    """ApiError 503, the answer to new work while the server ends."""
    return ApiError(503, "The server is ending. Try again in a moment.", code="ending", headers={"Retry-After": "5"})


def raise_for_state(reply: Reply) -> None:
    """Raises ApiError where the reply failed, was interrupted or was stopped."""
    if reply.failure is not None:
        raise to_api_error(reply.failure)
    if reply.state == State.INTERRUPTED:
        raise ApiError(503, "The server is ending; the reply was cut short.", code="ending")
    if reply.state == State.STOPPED:
        raise ApiError(503, "The reply was stopped.", code="stopped")


async def run_while_connected(request: Request, work: Awaitable[Result], seconds: float) -> Result:
    """The result of `work`, which is cancelled where the client goes.

    Raises ApiError 504 after `seconds`, and 499, which nobody reads, for a client that is gone.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_wait_disconnect(request))
    try:
        await asyncio.wait({task, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ApiError(CLIENT_CLOSED, "The client is gone.")
        raise ApiError(504, f"The reply took longer than {seconds:g} seconds (REPLY_TIMEOUT).", code="timeout")
    finally:
        task.cancel()
        gone.cancel()


async def _wait_disconnect(request: Request) -> None:
    """Wait until the client is gone; its body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
