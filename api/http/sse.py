"""Server-sent events of running replies: their pieces as they come, how an event is written, and the answer they make.

Knows replies and events; nothing of what an event says.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.http.errors import ApiError
from api.http.jobs import Job, raise_for_state
from conversations.replies import Part, Reply

log = logging.getLogger(__name__)
DONE = "data: [DONE]\n\n"
COMMENT = ": keep-alive\n\n"  # no event: readers skip it, and it tells proxies that the connection lives
encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: `dumps` makes one for each event


def sse_event(value: Any) -> str:
    """A value as one event, without a type."""
    return f"data: {encode(value)}\n\n"


def event_stream_response(*examples: str) -> dict[int | str, dict[str, Any]]:
    """A route's `responses` for a stream of events, whose data look like these."""
    event = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
    example = "".join(f"data: {data}\n\n" for data in examples) + DONE
    return {200: {"content": {"text/event-stream": {"schema": event, "example": example}}}}


Piece = Part | None


async def merge_pieces(job: Job) -> AsyncIterator[tuple[int, Piece]]:
    """The pieces of a job's replies as they come, each with the number of its reply, and None at the end of each.

    A piece is text, what the model thinks before it, or pieces of calls where the request offers tools.

    Raises ApiError for a reply that failed or was stopped, and 504 after REPLY_TIMEOUT.
    """
    with _deadline(job) as check:
        async for number, piece in _merge(job.replies):
            if piece is None:
                check()
                raise_for_state(job.replies[number])
            yield number, piece


@contextmanager
def _deadline(job: Job) -> Iterator[Callable[[], None]]:
    """Close the job after REPLY_TIMEOUT; the function that is given raises ApiError 504 from then on."""
    timeout, expired = job.state.api.reply_timeout, list[bool]()

    def end() -> None:
        expired.append(True)
        job.close()

    def check() -> None:
        if expired:
            raise ApiError(504, f"The reply took longer than {timeout:g} seconds (REPLY_TIMEOUT).", code="timeout")

    timer = asyncio.get_running_loop().call_at(job.replies[0].report.started + timeout, end)
    try:
        yield check
    finally:
        timer.cancel()


async def _merge(replies: Sequence[Reply]) -> AsyncIterator[tuple[int, Piece]]:
    """A queue of one between replies and reader: what is not read yet stays with the replies."""
    queue = asyncio.Queue[tuple[int, Piece]](1)

    async def feed(number: int, reply: Reply) -> None:
        async for piece in reply.follow_parts():
            await queue.put((number, piece))
        await queue.put((number, None))

    tasks = [asyncio.ensure_future(feed(number, reply)) for number, reply in enumerate(replies)]
    try:
        left = len(tasks)
        while left:
            number, piece = await queue.get()
            left -= piece is None
            yield number, piece
    finally:
        for task in tasks:
            task.cancel()


async def with_error_event(events: AsyncIterator[str]) -> AsyncIterator[str]:
    """The events; where they raise ApiError, the last one holds it."""
    try:
        async for line in events:
            yield line
    except ApiError as problem:
        yield sse_event(problem.body)


Heartbeat = Callable[[], str]


async def keep_alive(
    events: AsyncIterator[str], seconds: float, silent: bool, heartbeat: Heartbeat = lambda: COMMENT
) -> AsyncIterator[str]:
    """The events, with a heartbeat after every `seconds` without one, and before them where it is `silent` already."""
    if silent:
        yield heartbeat()
    pending = asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait({pending}, timeout=seconds)
            if not done:
                yield heartbeat()
                continue
            try:
                yield pending.result()
            except StopAsyncIteration:
                return
            pending = asyncio.ensure_future(anext(events))
    finally:
        pending.cancel()


class EventStream(StreamingResponse):
    """Events of a job, which is closed when the client is gone or stops reading."""

    def __init__(
        self,
        events: AsyncIterator[str],
        job: Job,
        heartbeat: Heartbeat = lambda: COMMENT,
        media_type: str = "text/event-stream",
    ) -> None:
        """`heartbeat`: what is sent while nothing comes; readers of this kind of stream skip it."""
        first = job.replies[0]
        silent = first.running and not first.text
        content = keep_alive(events, job.state.api.keepalive_interval, silent, heartbeat)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, headers=headers, media_type=media_type)
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._job.state.api.send_timeout):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:  # the server then closes the connection, since the answer has no end
            log.warning("a client did not read for %g seconds (SEND_TIMEOUT)", self._job.state.api.send_timeout)
        finally:
            self._job.close()
