"""Replies relayed between processes as they grow: the writer of one sends its pieces to the processes that watch it.

Knows this process's replies, and the text so far of others'; nothing of owners or pages. The table stays the truth.
A watcher reads the row, asks the process that it names, and asks again every two seconds; for that long that process
sends what comes after the text which the watcher has, 25 times a second at most, and all replies in one transaction,
since every NOTIFY locks out all others for a moment. Where no other process watches, nothing is sent. Positions count
characters of the whole text, so a piece that came twice adds nothing, and a gap is seen and asked for again. The end
is sent after the last save: then the row is read. Whatever is lost, the row is read as often as without a relay.
"""

import asyncio
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conversations.replies.loop import loop
from conversations.replies.relay.notifier import PgNotifier, channel_of, is_supported
from conversations.replies.relay.remote_reply import RemoteReply
from conversations.replies.reply import Reply
from conversations.store.database import Database
from conversations.store.schema import Message

TICK = 0.04  # seconds between two pieces of a reply
LEASE = 6.0  # seconds that a watcher is sent pieces after it asked
IDLE_LIMIT = 10.0  # seconds after which a reply that nobody looks at is dropped here
PIECE = 1200  # characters: JSON makes 6 bytes at most of one, and PostgreSQL takes fewer than 8000


@dataclass
class Watcher:
    """A process that watches a reply of this one: `until` a time.monotonic(), with `sent` characters sent to it."""

    until: float
    sent: int
    due: bool = True  # it has asked, and is answered even where there is nothing new


class ReplyRelay:
    """The relay of this process in one database; `replies` are those it writes, by their message's number."""

    def __init__(self, database: Database, replies: Mapping[int, Reply], process: str) -> None:
        self.replies, self.channel = replies, channel_of(process)
        self.notifier = (
            PgNotifier(database, self.channel, self._receive, self._resubscribe) if is_supported(database) else None
        )
        self.remote_replies: dict[int, RemoteReply] = {}
        self._lock = threading.Lock()
        self._watchers: dict[tuple[int, str], Watcher] = {}
        self._publishing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen for watchers. From any thread."""
        if self.notifier is not None:
            self.notifier.start()

    def close(self) -> None:
        """Stop to send and to listen; nothing is sent any more when it returns."""
        if self.notifier is not None:
            self.notifier.close()

    def stop(self, row: Message) -> None:
        """Ask the process that writes a reply to end it. From any thread."""
        self._send(row, {"stop": row.id})

    def answer_now(self, row: Message) -> None:
        """Ask the process that writes a reply to end its thinking. From any thread."""
        self._send(row, {"answer": row.id})

    def cached(self, number: int) -> Message | None:
        """The message of another process's reply as it is now; None where the table has to be read. From any thread."""
        remote = self.remote_replies.get(number)
        if remote is None or not remote.is_fresh():
            return None
        self._request_pieces(remote)
        return remote.message()

    def subscribe(self, row: Message) -> Message:
        """The row, just read, with the text that came beyond it; from now on it is watched while it is live."""
        if self.notifier is None:
            return row
        if not row.live or row.process is None or channel_of(row.process) == self.channel:
            self.remote_replies.pop(row.id, None)
            return row
        self.start()
        with self._lock:
            remote = self.remote_replies.get(row.id)
            if remote is None or not remote.update_row(row):
                remote = self.remote_replies[row.id] = RemoteReply(row)
            for number in [
                each.row.id for each in list(self.remote_replies.values()) if each.idle_seconds() > IDLE_LIMIT
            ]:
                self.remote_replies.pop(number, None)
        self._request_pieces(remote)
        return remote.message()

    async def wait_for_more(self, number: int, after: int, seconds: float) -> None:
        """Wait for text beyond `after` characters, or the end, at most `seconds`. In any event loop."""
        remote = self.remote_replies.get(number)
        if remote is None:
            await asyncio.sleep(seconds)
        else:
            await remote.wait_for_more(after, seconds)

    def _request_pieces(self, remote: RemoteReply) -> None:
        if self.notifier is not None and self.notifier.connected and remote.claim_request():
            request = {"watch": remote.row.id, "to": self.channel, "have": len(remote.text), "lost": remote.lost}
            self._send(remote.row, request)

    def _resubscribe(self) -> None:
        """Ask for every watched reply again, since what came while nothing was received is lost."""
        for remote in list(self.remote_replies.values()):
            remote.mark_lost()
            if remote.idle_seconds() < LEASE:
                self._request_pieces(remote)

    def _send(self, row: Message, fields: Mapping[str, Any]) -> None:
        if self.notifier is not None and row.process is not None:
            loop().call_soon_threadsafe(self.notifier.send, channel_of(row.process), json.dumps(fields))

    def _receive(self, payload: str) -> None:
        """Act on a payload; any user of the database can send one, so what is none of ours is passed over."""
        try:
            fields = json.loads(payload)
        except (ValueError, RecursionError):
            return
        match fields:
            case {"piece": int(number), "by": str(by), "at": int(at), "text": str(text)}:
                self._add_piece(number, by, at, text)
            case {"over": int(number)} if (remote := self.remote_replies.get(number)) is not None:
                remote.finish()
            case {"stop": int(number)} if (reply := self.replies.get(number)) is not None:
                reply.stop()
            case {"answer": int(number)} if (reply := self.replies.get(number)) is not None:
                reply.answer_now()
            case {"watch": int(number), "to": str(to), "have": int(have), "lost": bool(lost)}:
                self._add_watcher(number, to, have, lost)

    def _add_piece(self, number: int, by: str, at: int, text: str) -> None:
        remote = self.remote_replies.get(number)
        if remote is None or by != channel_of(remote.row.process or ""):
            return  # nobody watches it any more, or it has another writer by now
        remote.add_piece(at, text)
        if remote.lost:
            self._request_pieces(remote)

    def _add_watcher(self, number: int, to: str, have: int, lost: bool) -> None:
        until = time.monotonic() + LEASE
        watcher = self._watchers.get((number, to))
        if watcher is None or lost:
            self._watchers[number, to] = Watcher(until, max(0, have))
        else:
            watcher.until = until
        if self._publishing is None:
            self._publishing = loop().create_task(self._publish())

    async def _publish(self) -> None:
        try:
            while self._watchers and self.notifier is not None and not self.notifier.closed:
                for (number, to), watcher in list(self._watchers.items()):
                    if not self._serve(self.notifier, number, to, watcher):
                        self._watchers.pop((number, to))
                await asyncio.sleep(TICK)
        finally:
            self._publishing = None

    def _serve(self, notifier: PgNotifier, number: int, to: str, watcher: Watcher) -> bool:
        """Send a watcher what is new; whether it is still to be served afterwards."""
        reply = self.replies.get(number)
        if reply is None:
            notifier.send(to, json.dumps({"over": number}))
            return False
        text = reply.text
        watcher.sent = min(watcher.sent, len(text))
        if watcher.due or len(text) > watcher.sent:
            for at in range(watcher.sent, max(len(text), watcher.sent + 1), PIECE):
                piece = {"piece": number, "by": self.channel, "at": at, "text": text[at : at + PIECE]}
                notifier.send(to, json.dumps(piece, ensure_ascii=False))
            watcher.sent, watcher.due = len(text), False
        return time.monotonic() < watcher.until
