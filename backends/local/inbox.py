"""Where a request's events wait for their task: the first text is given at once, what follows is gathered for a moment.

To wake an event loop and to send a chunk through a chain costs more than a small model takes for a token, on the same
cores. Knows events and event loops; nothing of how tokens are computed.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from backends.local.engine import Event

PAUSE = 0.04  # seconds between two chunks of text: faster than anybody reads
CROWDED_PAUSE = 0.1  # seconds where many chats run, each of whose chunks costs the others tokens


def interval(chats: int) -> float:
    """Seconds for which text is gathered where so many chats wait or run."""
    return max(PAUSE, min(chats * PAUSE / 3, CROWDED_PAUSE))


class Inbox:
    """A queue of events from the engine's thread to one task of the event loop that it was made in."""

    def __init__(self, chats: Callable[[], int] = lambda: 1) -> None:
        """`chats`: a function that counts those that wait or run at the moment."""
        self._chats = chats
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._is_waiting = self._is_urgent = False  # for anything at all; for what waits for no pause
        self._next = 0.0  # before this time of the loop only what is urgent is taken

    def put(self, event: Event) -> None:
        """Add an event, from any thread. Raises RuntimeError where the loop is closed."""
        if self._loop.is_closed():
            raise RuntimeError("nobody is left to hear")
        self._events.append(event)
        if event.is_urgent:
            self._is_urgent = True
        if self._is_waiting or event.is_urgent:
            self._is_waiting = False
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def take(self) -> list[Event]:
        """What has come, merged into few events; waits where nothing has."""
        await self._pause()
        while not self._events:
            self._arrived.clear()
            self._is_waiting = True
            if not self._events:  # nothing came before the engine could see that somebody waits
                await self._arrived.wait()
        self._is_waiting = self._is_urgent = False
        events = merge_events([self._events.popleft() for _ in range(len(self._events))])
        if any(event.text for event in events):
            beat = interval(self._chats())  # all chats are woken at the same beats: waking up costs, too
            self._next = (self._loop.time() // beat + 1) * beat
        return events

    async def _pause(self) -> None:
        self._arrived.clear()
        if not self._is_urgent and self._loop.time() < self._next:
            timer = self._loop.call_at(self._next, self._arrived.set)
            try:
                await self._arrived.wait()
            finally:
                timer.cancel()


def merge_events(events: list[Event]) -> list[Event]:
    """Positions as they are, all text as one event, an error after it."""
    merged = [event for event in events if event.position is not None]
    others = [event for event in events if event.position is None]
    if others:
        text, tokens = "".join(event.text for event in others), max(event.tokens for event in others)
        merged.append(replace(others[-1], text=text, tokens=tokens, error=None))
        if others[-1].error is not None:
            merged.append(others[-1])
    return merged
