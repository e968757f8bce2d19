"""News of conversations and of the lists of them: what other tabs, and other processes, did to them.

One look a second for all tabs of this process, two queries, as long as somebody listens. Knows versions, no messages.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import ClassVar

from sqlalchemy.exc import SQLAlchemyError

from conversations.store import Database, DatabaseError, versions
from page.stream.watcher import Watcher, format_event

log = logging.getLogger(__name__)
TICK = 1.0  # seconds between two looks


class Version:
    """The version of one conversation, or of an owner's list where it has no `conversation`."""

    def __init__(self, news: "News", owner: str, conversation: str | None) -> None:
        self.name = "l" if conversation is None else f"c:{conversation}"
        self.owner, self.conversation, self.version = owner, conversation, ""
        self.watchers: dict[Watcher, None] = {}
        self._news = news

    def subscribe(self, watcher: Watcher) -> None:
        """Tell the watcher from now on, also what is known already."""
        self.watchers[watcher] = None
        self._news.start()
        if self.version:
            watcher.mark(self)

    def unsubscribe(self, watcher: Watcher) -> None:
        """Tell it no more."""
        self.watchers.pop(watcher, None)
        if not self.watchers:
            self._news.forget(self)

    def event(self, told: object) -> tuple[bytes, object]:
        """The version as it is."""
        if told == self.version:
            return b"", told
        return format_event(topic=self.name, version=self.version), self.version

    def update(self, version: str) -> None:
        """Tell all watchers of another version."""
        if version != self.version:
            self.version = version
            for watcher in self.watchers:
                watcher.mark(self)


class News:
    """What is listened to in one database."""

    _all: ClassVar[dict[Database, "News"]] = {}

    def __init__(self, database: Database) -> None:
        self._database = database
        self._versions: dict[tuple[str, str | None], Version] = {}
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, database: Database) -> "News":
        """The one of a database."""
        return cls._all.setdefault(database, cls(database))

    def topic(self, owner: str, conversation: str | None) -> Version:
        """The topic of a conversation, or of the list."""
        return self._versions.setdefault((owner, conversation), Version(self, owner, conversation))

    def start(self) -> None:
        """Begin to look, if nobody does yet."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_regularly())

    def forget(self, version: Version) -> None:
        """Look at this no more."""
        self._versions.pop((version.owner, version.conversation), None)

    async def _look_regularly(self) -> None:
        while self._versions:
            topics = list(self._versions.values())
            try:
                found = await asyncio.to_thread(self._look, topics)
            except (DatabaseError, SQLAlchemyError) as error:
                log.warning("no news: %s", type(error).__name__)
            else:
                for topic, version in zip(topics, found, strict=True):
                    topic.update(version)
            await asyncio.sleep(TICK)

    def _look(self, topics: Iterable[Version]) -> list[str]:
        """The version of each. Raises DatabaseError, SQLAlchemyError."""
        wanted = [(each.owner, each.conversation) for each in topics if each.conversation is not None]
        of_conversations = versions.conversation_versions(self._database, wanted)
        of_lists = versions.listing_versions(self._database, {each.owner for each in topics if not each.conversation})
        return [
            of_lists[each.owner] if each.conversation is None else of_conversations[each.owner, each.conversation]
            for each in topics
        ]
