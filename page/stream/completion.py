"""A text that a model goes on with, as a topic. Nothing of it is stored: it is there as long as its page keeps it.

Only who offered it may follow it. Knows the reply and what stands before it; not the page.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from blocks import plain_blocks
from conversations.replies import Reply
from page.chat.growing import waiting_text
from page.stream.growing import GrowingTopic


@dataclass(eq=False)
class Completion:
    """A text, and the reply that goes on with it."""

    owner: str
    text: str
    reply: Reply
    number: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def __post_init__(self) -> None:
        _offered[self.number] = self

    @property
    def topic(self) -> str:
        """The name under which its owner follows it."""
        return f"d:{self.number}"

    @property
    def whole(self) -> str:
        """The text so far."""
        return self.text + self.reply.text


_offered: WeakValueDictionary[str, Completion] = WeakValueDictionary()


def find(number: str, owner: str) -> Completion | None:
    """The completion of this owner; None where there is none."""
    found = _offered.get(number)
    return found if found is not None and found.owner == owner else None


class GrowingCompletion(GrowingTopic):
    """A completion that somebody watches."""

    def __init__(self, completion: Completion, forget: Callable[[], object]) -> None:
        super().__init__(completion.topic, forget)
        self._completion = completion

    async def _follow(self, begun: Callable[[], object]) -> None:
        """Show what is added until the end."""
        text = self._completion.text
        async for part in self._completion.reply.follow():
            begun()
            text += part
            self._show(blocks=plain_blocks(text), wait="")
            await asyncio.sleep(self._pause())

    def _waiting(self) -> str:
        return waiting_text(self._completion.reply)
