"""One reader of the stream, and what it has not been told yet: the newest state of each topic, never a queue.

Knows neither what topics tell nor how it is sent. Everything here happens in the server's event loop.
"""

import asyncio
import json
from typing import Protocol


class Topic(Protocol):
    """Something that has a state, which readers are told when it changes."""

    name: str

    def subscribe(self, watcher: "Watcher") -> None:
        """Tell the watcher from now on."""

    def unsubscribe(self, watcher: "Watcher") -> None:
        """Tell it no more."""

    def event(self, told: object) -> tuple[bytes, object]:
        """What brings a reader from what it was `told` (None: nothing) to the state as it is, and that state."""


class Watcher:
    """A reader. `mark` is called by topics, `next_events` by whoever sends."""

    def __init__(self) -> None:
        self.closed = False
        self._told: dict[Topic, object] = {}
        self._changed: dict[Topic, None] = {}
        self._wake = asyncio.Event()

    def mark(self, topic: Topic) -> None:
        """Note that a topic has another state."""
        self._changed[topic] = None
        self._wake.set()

    def close(self) -> None:
        """End: nothing more is told."""
        self.closed = True
        self._wake.set()

    async def next_events(self, seconds: float) -> bytes:
        """What has changed since the last call, after waiting for it; nothing after `seconds`, or at the end."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return b""
        self._wake.clear()
        changed, self._changed = self._changed, {}
        parts = []
        for topic in changed:
            part, self._told[topic] = topic.event(self._told.get(topic))
            parts.append(part)
        return b"".join(parts)


def format_event(**fields: object) -> bytes:
    """One event of the stream."""
    return f"data: {json.dumps(fields, ensure_ascii=False, separators=(',', ':'))}\n\n".encode(errors="replace")
