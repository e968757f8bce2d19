"""A growing text as a topic: rendered once for all who watch, by one task that ends with the last of them.

What grows, and how it becomes blocks, says the class that is made of it; nothing here knows of owners, who were asked
before.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar

from blocks import Blocks
from conversations.store import DatabaseError, NotFoundError
from page.stream.patch import make_patch
from page.stream.watcher import Watcher, format_event

log = logging.getLogger(__name__)
WAIT_TICK = 0.25  # seconds between two looks at what a reply without text waits for
RETRY = 1.0  # seconds until a database that failed is asked again
PAUSE = 0.04  # seconds between two renderings beside the 0.04 that `follow` pauses: each is sent to all who watch
READER_PAUSE = 0.0008  # seconds more for each reader of this process, who wants a share of its core
MAX_PAUSE = 0.12


@dataclass(frozen=True)
class Shown:
    """What is shown of a reply; `wait` is what it waits for as long as it has no text, `sources` its passages.

    `answer`: it thinks, and can be had end that.
    """

    version: int = 0
    blocks: Blocks = ()
    wait: str = ""
    sources: str = ""
    answer: bool = False
    ended: bool = False


class GrowingTopic(ABC):
    """A text that somebody watches. `forget` is called when nobody does any more."""

    _readers: ClassVar[int] = 0  # of all texts

    def __init__(self, name: str, forget: Callable[[], object]) -> None:
        self.name, self._forget = name, forget
        self._watchers: dict[Watcher, None] = {}
        self._shown = Shown()
        self._events: dict[int, bytes] = {}  # of what is shown, by the version that a reader was told
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def _follow(self, begun: Callable[[], object]) -> None:
        """Show what is added until the end; `begun` is called at the first words. Raises what a store does."""

    @staticmethod
    def _pause() -> float:
        """Seconds until the next rendering: the more readers there are, the more words they are told at once."""
        return min(PAUSE + READER_PAUSE * GrowingTopic._readers, MAX_PAUSE)

    @abstractmethod
    def _waiting(self) -> str:
        """What it waits for as long as it has no text."""

    async def _thought(self) -> Blocks:
        """What was thought before the text, as blocks that stand before it."""
        return ()

    async def _can_answer(self) -> bool:
        """Whether it thinks, and can be had end that."""
        return False

    def subscribe(self, watcher: Watcher) -> None:
        """Tell the watcher from now on; the first one starts the task."""
        self._watchers[watcher] = None
        GrowingTopic._readers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        elif self._shown.version:
            watcher.mark(self)

    def unsubscribe(self, watcher: Watcher) -> None:
        """Tell it no more; after the last one the task ends."""
        del self._watchers[watcher]
        GrowingTopic._readers -= 1
        if not self._watchers and self._task is not None:
            self._task.cancel()
            self._forget()

    def event(self, told: object) -> tuple[bytes, object]:
        """The patch from what a reader was told to what is shown, and the latter."""
        before = told if isinstance(told, Shown) else Shown()
        if before.version not in self._events:
            shown = self._shown
            patch = make_patch(before.blocks, shown.blocks)
            fields = {"wait": shown.wait, "sources": shown.sources, "answer": shown.answer, "ended": shown.ended}
            self._events[before.version] = format_event(topic=self.name, whole=not before.version, **patch, **fields)
        return self._events[before.version], self._shown

    def _show(self, **changes: object) -> None:
        shown = replace(self._shown, **changes)  # type: ignore[arg-type]
        if shown != self._shown:
            self._shown = replace(shown, version=shown.version + 1)
            self._events.clear()
            for watcher in self._watchers:
                watcher.mark(self)

    async def _run(self) -> None:
        """Follow it to its end, also where the database is away for a while."""
        waiting = asyncio.create_task(self._show_waiting())
        try:
            while not self._shown.ended:
                try:
                    with suppress(NotFoundError):
                        await self._follow(waiting.cancel)
                    self._show(wait="", answer=False, ended=True)
                except DatabaseError as error:
                    log.warning("a reply is looked at again: %s", error)
                    await asyncio.sleep(RETRY)
        finally:
            waiting.cancel()

    async def _show_waiting(self) -> None:
        """Show what it waits for, until its first words."""
        while True:
            await asyncio.sleep(WAIT_TICK)
            self._show(wait=self._waiting(), blocks=await self._thought(), answer=await self._can_answer())
