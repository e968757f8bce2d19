"""What a server says, gathered for a moment: its first words go on at once, what follows in beats, the end at once.

A chunk costs a chain more than a server takes for a token, on the same cores. Knows chunks and event loops; nothing of
bytes, or of the form in which a reply is handed on.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator

from backends.remote.chunk import Chunk

PAUSE = 0.04  # seconds between two chunks of text: faster than anybody reads
CROWDED_PAUSE = 0.1  # seconds where many replies come, each of whose chunks costs the others tokens
_open = 0  # how many replies come at the moment


def interval(replies: int) -> float:
    """Seconds for which text is gathered where so many replies come."""
    return max(PAUSE, min(replies * PAUSE / 3, CROWDED_PAUSE))


async def gather(chunks: AsyncGenerator[Chunk | None]) -> AsyncGenerator[Chunk | None]:
    """The chunks as few, each with the number of those in it; a None that comes among them at once, and so the end.

    They are read in a task of their own, which ends with the reader. Raises what they raise, after those before it.
    """
    global _open
    inbox = _Inbox()
    task = asyncio.create_task(inbox.fill(chunks))
    _open += 1
    try:
        while (taken := await inbox.take()) or not inbox.is_ended:
            for chunk in taken:
                yield chunk
        task.result()
    finally:
        _open -= 1
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # told above, or nobody is left to hear


class _Inbox:
    """Between the task that reads and the one that is read from, in one event loop."""

    def __init__(self) -> None:
        self.is_ended = False
        self._chunks: list[Chunk | None] = []
        self._arrived, self._urgent = asyncio.Event(), asyncio.Event()
        self._next = 0.0  # before this time of the loop only what is urgent is taken

    async def fill(self, chunks: AsyncGenerator[Chunk | None]) -> None:
        """Take in all of them. Raises what they raise."""
        try:
            async for chunk in chunks:
                self._chunks.append(chunk)
                if chunk is None:
                    self._urgent.set()
                self._arrived.set()
        finally:
            self.is_ended = True
            self._urgent.set()
            self._arrived.set()
            await chunks.aclose()

    async def take(self) -> list[Chunk | None]:
        """What has come, once the pause is over; waits where nothing has. Empty at the end."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._next and not self._urgent.is_set():
            timer = loop.call_at(self._next, self._urgent.set)
            await self._urgent.wait()
            timer.cancel()
        await self._arrived.wait()
        taken, self._chunks = self._chunks, []
        if not self.is_ended:
            self._arrived.clear()
            self._urgent.clear()
        if any(chunk is not None and (chunk.text or chunk.reasoning) for chunk in taken):
            beat = interval(_open)  # all replies are woken at the same beats: waking up costs, too
            self._next = (loop.time() // beat + 1) * beat
        return list(merge(taken))


def merge(chunks: Iterable[Chunk | None]) -> Iterator[Chunk | None]:
    """The chunks in their order, those that only add to the same text as one."""
    last: Chunk | None = None
    for chunk in chunks:
        if last is not None and chunk is not None and _can_join(last, chunk):
            last = _join(last, chunk)
            continue
        if last is not None:
            yield last
        last = chunk
        if chunk is None:
            yield None
    if last is not None:
        yield last


def _join(first: Chunk, second: Chunk) -> Chunk:
    pieces = sum(each.pieces for each in (first, second) if each.text or each.reasoning)
    text, reasoning = first.text + second.text, first.reasoning + second.reasoning
    return first._replace(text=text, reasoning=reasoning, pieces=max(1, pieces))


def _can_join(first: Chunk, second: Chunk) -> bool:
    """Whether nothing is lost where two chunks become one; thinking stays apart from text, each with its tokens."""
    if any(each.tool_calls or each.logprobs or each.is_message for each in (first, second)):
        return False
    return not (first.text and second.reasoning) and not (first.reasoning and second.text)
