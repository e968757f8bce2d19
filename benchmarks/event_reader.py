"""A reader of the page's event stream, as the browser's worker is one. Knows nothing of what is shown.

It keeps the newest state of each topic, and opens another connection when it wants more than the one it has asked for.
"""

import asyncio
import json
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlencode, urlsplit

Event = dict[str, Any]
LONGEST_LINE = 2**24  # bytes


class EventReader:
    """One connection at a time; `take` is called with each event."""

    def __init__(self, address: str, take: Callable[[Event], None]) -> None:
        self._address, self._take = urlsplit(address), take
        self._asked: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def want(self, topics: Collection[str], data: Event, cookies: str) -> None:
        """Follow these topics, with what the page gave for it."""
        if set(topics) <= self._asked or not topics:
            return
        self.close()
        self._asked = set(topics)
        query = urlencode([("ticket", data["ticket"]), *(("t", topic) for topic in topics)])
        self._task = asyncio.create_task(self._read(f"/{data['path']}?{query}", cookies))

    def close(self) -> None:
        """End the connection."""
        if self._task is not None:
            self._task.cancel()
        self._asked, self._task = set(), None

    async def _read(self, path: str, cookies: str) -> None:
        reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port, limit=LONGEST_LINE)
        try:
            head = f"GET {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\nCookie: {cookies}\r\n\r\n"
            writer.write(head.encode())
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    self._take(json.loads(line[6:]))
        finally:
            writer.close()


def patched(blocks: list[str], event: Event) -> list[str]:
    """The blocks of a reply after an event; the cut counts as JavaScript does, which is the same for plain words."""
    keep, cut, add = event["keep"], event["cut"], event["add"]
    known = [] if event["whole"] else blocks
    if not add:
        return known[:keep]
    start = known[keep][:cut] if keep < len(known) else ""
    return [*known[:keep], start + add[0], *add[1:]]
