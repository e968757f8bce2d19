"""A reply that another process writes: its row, and the text that was received beyond it. Knows no connection.

Its text only grows, as long as the same process writes it.
"""

import threading
import time

from conversations.replies.reply import Subscriber
from conversations.store.schema import Message

POLL = 0.25  # seconds between two reads of the row of a reply of which no piece comes
POLL_PUSHED = 1.0  # and of one of which pieces come: it may have been deleted
FRESH = 0.6  # seconds that a piece counts as one that comes
RENEW = 2.0  # seconds between two times that its process is asked for pieces


class RemoteReply:
    """The state of a live reply of another process. Used from any thread."""

    def __init__(self, row: Message) -> None:
        self.row, self.text = row, row.text
        self.lost = True  # its process does not know how much text there is here
        self._lock = threading.Lock()
        self._subscribers: list[Subscriber] = []
        self._read_at = self._looked_at = time.monotonic()
        self._piece_at = self._requested_at = float("-inf")
        self._unanswered = 0
        self._finished = False

    def update_row(self, row: Message) -> bool:
        """Take the row as it was just read; False where another process writes it by now: the pieces are void."""
        if row.process != self.row.process:
            return False
        with self._lock:
            self.row, self._read_at, self._finished = row, time.monotonic(), False
            if len(row.text) > len(self.text):
                self.text = row.text
        return True

    def add_piece(self, at: int, text: str) -> None:
        """Add a piece that begins at character `at` of the whole text; after a gap it is `lost`."""
        with self._lock:
            self.lost = at > len(self.text)
            if not self.lost:
                self.text += text[len(self.text) - at :]
                self._piece_at, self._unanswered = time.monotonic(), 0
        self._notify()

    def finish(self) -> None:
        """Mark the end: the row holds all of the text."""
        self._finished = True
        self._notify()

    def mark_lost(self) -> None:
        """Mark that pieces may have been missed."""
        self.lost, self._unanswered, self._requested_at = True, 0, float("-inf")

    def is_fresh(self) -> bool:
        """Whether the row need not be read again yet."""
        self._looked_at = now = time.monotonic()
        return not self._finished and now - self._read_at < (POLL_PUSHED if now - self._piece_at < FRESH else POLL)

    def claim_request(self) -> bool:
        """Whether its process is to be asked now: more often until it answers for the first time."""
        pause = min(RENEW, POLL * 2**self._unanswered) if self.lost else RENEW
        now = time.monotonic()
        if now - self._requested_at < pause:
            return False
        self._requested_at, self._unanswered = now, min(self._unanswered + 1, 9)
        return True

    def idle_seconds(self) -> float:
        """The seconds since somebody looked at it or read its row."""
        return time.monotonic() - max(self._looked_at, self._read_at)

    def message(self) -> Message:
        """A copy of the row, with all of the text that has come."""
        read = self.row.__dict__  # without what is read for the search alone
        columns = {column.key: read[column.key] for column in Message.__table__.columns if column.key in read}
        return Message(**{**columns, "text": self.text})

    async def wait_for_more(self, after: int, seconds: float) -> None:
        """Wait until there is text beyond `after` characters, or the end, at most `seconds`."""
        subscriber = Subscriber()
        self._subscribers.append(subscriber)
        try:
            if not self._finished and len(self.text) <= after:
                await subscriber.wait(seconds)
        finally:
            self._subscribers.remove(subscriber)

    def _notify(self) -> None:
        for subscriber in list(self._subscribers):
            subscriber.notify(finished=False)
