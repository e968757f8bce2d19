"""Where a request's events wait for their task: the first text is given at once, what follows is gathered for a moment.

To wake an event loop and to send a chunk through a chain costs more than a small model takes for a token, on the same
cores. Knows events and event loops; nothing of tokens' making.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

from backends.local.engine import Event

PAUSE = 0.04  # seconds between two gifts of text: faster than anybody reads
CROWDED = 0.1  # where many chats run, each of whose gifts costs the others' tokens


def pause(chats: int) -> float:
    """How long text is gathered where so many chats wait or run."""
    return max(PAUSE, min(chats * PAUSE / 3, CROWDED))


class Inbox:
    """From the engine's thread to one task of the loop it was made in."""

    def __init__(self, chats: Callable[[], int] = lambda: 1) -> None:
        """`chats`: how many wait or run at the moment."""
        self._chats = chats
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._news = asyncio.Event()
        self._waiting = self._hurry = False  # for anything at all; for what waits for no pause
        self._next = 0.0  # before this time of the loop only what hurries is given

    def put(self, event: Event) -> None:
        """From any thread. Raises RuntimeError where the loop is gone."""
        if self._loop.is_closed():
            raise RuntimeError("nobody is left to hear")
        self._events.append(event)
        if event.hurries:
            self._hurry = True
        if self._waiting or event.hurries:
            self._waiting = False
            self._loop.call_soon_threadsafe(self._news.set)

    async def take(self) -> list[Event]:
        """What has come, in few events; waits where there is nothing yet."""
        await self._pause()
        while not self._events:
            self._news.clear()
            self._waiting = True
            if not self._events:  # nothing came before the engine could see that somebody waits
                await self._news.wait()
        self._waiting = self._hurry = False
        found = list(gathered([self._events.popleft() for _ in range(len(self._events))]))
        if any(event.text for event in found):
            step = pause(self._chats())  # all are given to at the same beats: waking up costs, too
            self._next = (self._loop.time() // step + 1) * step
        return found

    async def _pause(self) -> None:
        self._news.clear()
        if not self._hurry and self._loop.time() < self._next:
            timer = self._loop.call_at(self._next, self._news.set)
            try:
                await self._news.wait()
            finally:
                timer.cancel()


def gathered(events: list[Event]) -> Iterator[Event]:
    """Places in the line as they are, all text as one, an error after it."""
    yield from (event for event in events if event.position is not None)
    said = [event for event in events if event.position is None]
    if said:
        text, tokens = "".join(event.text for event in said), max(event.tokens for event in said)
        yield replace(said[-1], text=text, tokens=tokens, error=None)
        if said[-1].error is not None:
            yield said[-1]
