"""A growing reply of a conversation as a topic. Knows replies through `watch`, whichever process writes them."""

import asyncio
import time
from collections.abc import Callable

from blocks import Blocks, GrowingText
from blocks.markers import link_growing_markers
from conversations.replies import watch
from conversations.store import Store
from documents.source import Source
from page.chat.growing import given_passages, growing_thought, passage_key, waiting_text
from page.stream.growing import GrowingTopic

SHARE = 0.1  # of a core that rendering one reply may take: a long block is drawn more seldom
SOURCES_TICK = 1.0  # seconds between two looks at the passages of another process's reply


class GrowingReply(GrowingTopic):
    """A reply that somebody watches."""

    def __init__(self, store: Store, number: int, forget: Callable[[], object]) -> None:
        super().__init__(f"r:{number}", forget)
        self._store, self._number = store, number
        self._growing, self._text = GrowingText(), ""
        self._passages: list[Source] = []
        self._known_thought: Blocks = ()
        self._thought_ended: float | None = None
        self._passages_at = self._thought_at = float("-inf")

    async def _follow(self, begun: Callable[[], object]) -> None:
        """Show what is added until the end. Raises NotFoundError, DatabaseError."""
        async for part in watch.follow(self._store, self._number, len(self._text)):
            begun()
            began = time.perf_counter()
            self._text += part
            passages = await self._find_passages()
            linked = link_growing_markers(self._text, passages, self._number) if passages else self._text
            blocks = (*await self._thought(), *self._growing.update(linked))
            key = passage_key(passages, watch.local_reply(self._store.database, self._number))
            self._show(blocks=blocks, wait="", sources=key, answer=False)
            await asyncio.sleep(max(self._pause(), (time.perf_counter() - began) / SHARE))

    async def _find_passages(self) -> list[Source]:
        """The passages so far; another process's are asked for now and then."""
        reply = watch.local_reply(self._store.database, self._number)
        if reply is not None:
            return given_passages(self._store, self._number, reply)
        if time.monotonic() - self._passages_at > SOURCES_TICK:
            self._passages = await asyncio.to_thread(given_passages, self._store, self._number, None)
            self._passages_at = time.monotonic()
        return self._passages

    def _waiting(self) -> str:
        return waiting_text(watch.local_reply(self._store.database, self._number))

    async def _can_answer(self) -> bool:
        reply = watch.local_reply(self._store.database, self._number)
        if reply is not None or not self._known_thought:
            return watch.can_answer_now(None, reply)
        return watch.can_answer_now(await asyncio.to_thread(watch.snapshot, self._store.database, self._number), None)

    async def _thought(self) -> Blocks:
        """What the model has thought so far; another process's is asked for now and then."""
        reply = watch.local_reply(self._store.database, self._number)
        if reply is not None:
            ended = reply.report.thinking.ended
            if ended is None or ended != self._thought_ended:  # drawn once it is over, not with each word behind it
                self._known_thought, self._thought_ended = growing_thought(self._store, self._number, reply), ended
            return self._known_thought
        if time.monotonic() - self._thought_at > SOURCES_TICK:
            self._known_thought = await asyncio.to_thread(growing_thought, self._store, self._number, None)
            self._thought_at = time.monotonic()
        return self._known_thought
