"""Server-sent events of running replies: their pieces as they come, and lines whose constant part is written once.

Knows replies and lines; nothing of what a line says.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from api.http.errors import ApiError
from api.http.jobs import Job, raise_for_state
from conversations.replies import Reply

MARK = "\x00"  # no name that stands in a line holds it
DONE = "data: [DONE]\n\n"


class Line:
    """One kind of event; `made` gives its JSON for a text, and is asked once."""

    def __init__(self, made: Callable[[str], dict[str, Any]]) -> None:
        self._before, _, self._after = sse_event(made(MARK)).partition(json.dumps(MARK))

    def of(self, text: str) -> str:
        """The event of this text."""
        return self._before + json.dumps(text) + self._after


def sse_event(value: Any) -> str:
    """One event."""
    return f"data: {json.dumps(value, separators=(',', ':'))}\n\n"


def event_stream_response(kind: str) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: that it may answer with events, `kind` in each."""
    event = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
    shown = f'data: {{"object":"{kind}", …}}\n\n{DONE}'
    return {200: {"content": {"text/event-stream": {"schema": event, "example": shown}}}}


async def merge_pieces(work: Job) -> AsyncIterator[tuple[int, str | None]]:
    """The replies' text as it comes, each piece with its reply's number, and None at the end of each.

    Raises ApiError where one comes to no good end, or takes longer than REPLY_TIMEOUT.
    """
    with _deadline(work) as late:
        async for number, piece in _merge(work.replies):
            if piece is None:
                late()
                raise_for_state(work.replies[number])
            yield number, piece


@contextmanager
def _deadline(work: Job) -> Iterator[Callable[[], None]]:
    """End the work at its time; what is given raises ApiError 504 after that."""
    seconds, over = work.state.api.reply_timeout, list[bool]()

    def end() -> None:
        over.append(True)
        work.close()

    def check() -> None:
        if over:
            raise ApiError(504, f"The reply took longer than {seconds:g} seconds (REPLY_TIMEOUT).", code="timeout")

    timer = asyncio.get_running_loop().call_at(work.replies[0].report.started + seconds, end)
    try:
        yield check
    finally:
        timer.cancel()


async def _merge(replies: Sequence[Reply]) -> AsyncIterator[tuple[int, str | None]]:
    """One place between them and the reader: what he has not read yet stays with the replies."""
    place = asyncio.Queue[tuple[int, str | None]](1)

    async def feed(number: int, reply: Reply) -> None:
        async for piece in reply.follow():
            await place.put((number, piece))
        await place.put((number, None))

    tasks = [asyncio.ensure_future(feed(number, reply)) for number, reply in enumerate(replies)]
    try:
        left = len(tasks)
        while left:
            number, piece = await place.get()
            left -= piece is None
            yield number, piece
    finally:
        for task in tasks:
            task.cancel()


async def with_error_event(events: AsyncIterator[str]) -> AsyncIterator[str]:
    """The events; a failure among them is told in the last one."""
    try:
        async for line in events:
            yield line
    except ApiError as problem:
        yield sse_event(problem.body)
