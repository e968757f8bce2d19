"""A reply of another process as it is known here: its row, and the text that was heard beyond it. Knows no connection.

Its text only grows, as long as the same process writes it.
"""

import threading
import time

from conversations.replies.reply import Follower
from conversations.store.schema import Message

FAR = 0.25  # seconds between two looks at the row of a reply of which nothing is heard
SURE = 1.0  # and of one of which pieces come: it may have been deleted
FRESH = 0.6  # seconds that a piece counts as one that comes
RENEW = 2.0  # seconds between two times that its process is asked for pieces


class Heard:
    """What is known of a live reply; used from any thread."""

    def __init__(self, row: Message) -> None:
        self.row, self.text = row, row.text
        self.lost = True  # its process does not know what is known here
        self._lock = threading.Lock()
        self._followers: list[Follower] = []
        self._read = self._looked = time.monotonic()
        self._piece = self._asked = float("-inf")
        self._unanswered = 0
        self._over = False

    def read(self, row: Message) -> bool:
        """The row as it is now; False where another process writes it, so that what was heard is void."""
        if row.process != self.row.process:
            return False
        with self._lock:
            self.row, self._read, self._over = row, time.monotonic(), False
            if len(row.text) > len(self.text):
                self.text = row.text
        return True

    def add(self, at: int, text: str) -> None:
        """A piece that begins at that character of the whole text."""
        with self._lock:
            self.lost = at > len(self.text)
            if not self.lost:
                self.text += text[len(self.text) - at :]
                self._piece, self._unanswered = time.monotonic(), 0
        self._wake()

    def end(self) -> None:
        """Nothing more comes: the row is whole."""
        self._over = True
        self._wake()

    def miss(self) -> None:
        """Pieces may have gone by unheard."""
        self.lost, self._unanswered, self._asked = True, 0, float("-inf")

    def current(self) -> bool:
        """Whether the row need not be read again yet."""
        self._looked = now = time.monotonic()
        return not self._over and now - self._read < (SURE if now - self._piece < FRESH else FAR)

    def asking(self) -> bool:
        """Whether its process is to be asked now: more often until it answers for the first time."""
        pause = min(RENEW, FAR * 2**self._unanswered) if self.lost else RENEW
        now = time.monotonic()
        if now - self._asked < pause:
            return False
        self._asked, self._unanswered = now, min(self._unanswered + 1, 9)
        return True

    def idle(self) -> float:
        """Seconds since somebody looked."""
        return time.monotonic() - max(self._looked, self._read)

    def message(self) -> Message:
        """The row with the text that is known; a record of its own."""
        columns = {column.key: getattr(self.row, column.key) for column in Message.__table__.columns}
        return Message(**{**columns, "text": self.text})

    async def more(self, after: int, seconds: float) -> None:
        """Wait until there is text beyond `after` characters, or the end, but no longer than so many seconds."""
        follower = Follower()
        self._followers.append(follower)
        try:
            if not self._over and len(self.text) <= after:
                await follower.wait(seconds)
        finally:
            self._followers.remove(follower)

    def _wake(self) -> None:
        for follower in list(self._followers):
            follower.wake(over=False)
