"""Server-sent events of running replies: their pieces as they come, and how an event is written.

Knows replies and events; nothing of what an event says.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from api.http.errors import ApiError
from api.http.jobs import Job, raise_for_state
from conversations.replies import Reply

DONE = "data: [DONE]\n\n"
encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: `dumps` makes one for each event


def sse_event(value: Any) -> str:
    """A value as one event, without a type."""
    return f"data: {encode(value)}\n\n"


def event_stream_response(kind: str) -> dict[int | str, dict[str, Any]]:
    """A route's `responses` for a stream of events, `kind` in each."""
    event = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
    example = f'data: {{"object":"{kind}", …}}\n\n{DONE}'
    return {200: {"content": {"text/event-stream": {"schema": event, "example": example}}}}


async def merge_pieces(job: Job) -> AsyncIterator[tuple[int, str | None]]:
    """The pieces of a job's replies as they come, each with the number of its reply, and None at the end of each.

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


async def _merge(replies: Sequence[Reply]) -> AsyncIterator[tuple[int, str | None]]:
    """A queue of one between replies and reader: what is not read yet stays with the replies."""
    queue = asyncio.Queue[tuple[int, str | None]](1)

    async def feed(number: int, reply: Reply) -> None:
        async for piece in reply.follow():
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
