"""The event stream as a route: who asks is told by a ticket and a cookie, and hears of what is his own.

`GET /events?ticket=…&t=r:12&t=d:…&t=c:…&t=l`: replies, completions, conversations, the list. Each event is one JSON
object with its `topic`. A connection that begins anew is told each state whole, so nothing that was missed is missing.
Knows topics, not what they tell.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from conversations.store import Database, DatabaseError, NotFoundError, Store, open_store
from identity import cookies
from page.session import stream
from page.stream import completion
from page.stream.completion import GrowingCompletion
from page.stream.growing import GrowingTopic
from page.stream.news import News
from page.stream.reply import GrowingReply
from page.stream.watcher import Topic, Watcher, format_event
from settings import Settings, SettingsError

FOLDER = Path(__file__).parent
CHAT = FOLDER.parent / "chat"
SCRIPTS = {  # what the browser loads once, and each component would else bring along with each of its elements
    "worker": [FOLDER / "patch.js", FOLDER / "worker.js"],
    "script": [FOLDER / "patch.js", CHAT / "stream.js", CHAT / "reply.js", CHAT / "news.js"],
}
HEARTBEAT = 15.0  # seconds of silence after which a line says that the stream is alive
END_TICK = 0.5  # seconds between two looks whether the server ends
MAX_TOPICS = 200  # of one connection; those beyond are not told
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx hands each event on
]


class EventStream:
    """The endpoint. `ending` says whether the server ends, so that no connection holds it up."""

    def __init__(self, ending: Callable[[], bool]) -> None:
        self._ending = ending
        self._watchers: set[Watcher] = set()
        self._growing: dict[tuple[Database, str], GrowingTopic] = {}
        self._guard: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell one browser what changes, until it goes or the server ends."""
        connection = HTTPConnection(scope)
        try:
            store = await asyncio.to_thread(_open_store, connection)
            gone = [] if store is None else await asyncio.to_thread(_missing, store, connection.query_params)
        except (SettingsError, DatabaseError):
            await Response(status_code=503)(scope, receive, send)
            return
        if store is None:
            await PlainTextResponse("The ticket is not this browser's, or too old.", 403)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        with self._watching() as watcher:
            leaving = asyncio.create_task(_close_at_end(receive, watcher))
            try:
                first = b"retry: 1000\n\n" + b"".join(format_event(topic=name, ended=True, gone=True) for name in gone)
                await send({"type": "http.response.body", "body": first, "more_body": True})
                with _subscribed(watcher, list(self._topics(store, connection.query_params, gone))):
                    await _send_events(watcher, send)
            finally:
                leaving.cancel()

    @contextmanager
    def _watching(self) -> Iterator[Watcher]:
        watcher = Watcher()
        self._watchers.add(watcher)
        if self._guard is None or self._guard.done():
            self._guard = asyncio.create_task(self._close_all_at_end())
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def _close_all_at_end(self) -> None:
        while self._watchers:
            await asyncio.sleep(END_TICK)
            if self._ending():
                for watcher in self._watchers:
                    watcher.close()

    def _topics(self, store: Store, query: QueryParams, gone: list[str]) -> Iterator[Topic]:
        """The topics that a query names, but those that are not there."""
        news = News.of(store.database)
        for name in _names(query):
            kind, _, value = name.partition(":")
            if name in gone:
                continue
            if kind == "r":
                number = int(value)
                yield self._topic(store, f"r:{number}", partial(GrowingReply, store, number))
            elif kind == "d" and (offered := completion.find(value, store.owner)):
                yield self._topic(store, offered.topic, partial(GrowingCompletion, offered))
            elif kind == "c":
                yield news.topic(store.owner, value)
            elif kind == "l":
                yield news.topic(store.owner, None)

    def _topic(self, store: Store, name: str, make: Callable[[Callable[[], object]], GrowingTopic]) -> GrowingTopic:
        """The one topic of a growing text in this process."""
        key = store.database, name
        if key not in self._growing:
            self._growing[key] = make(lambda: self._growing.pop(key, None))
        return self._growing[key]


def _open_store(connection: HTTPConnection) -> Store | None:
    """The store of the owner that the ticket names; None where it is not this browser's. Raises SettingsError."""
    settings = Settings.read()
    owner = cookies(settings).read_ticket(connection.query_params.get("ticket", ""), connection.cookies)
    return None if owner is None else open_store(settings, owner)


def _names(query: QueryParams) -> list[str]:
    """The names of topics, each once."""
    return list(dict.fromkeys(query.getlist("t")))[:MAX_TOPICS]


def _missing(store: Store, query: QueryParams) -> list[str]:
    """The replies and completions that are not there for this owner."""
    return [name for name in _names(query) if not _is_there(store, name)]


def _is_there(store: Store, name: str) -> bool:
    kind, _, value = name.partition(":")
    if kind == "d":
        return completion.find(value, store.owner) is not None
    if kind == "r":
        try:
            store.message(int(value))
        except (NotFoundError, ValueError, OverflowError):
            return False
    return True


@contextmanager
def _subscribed(watcher: Watcher, topics: list[Topic]) -> Iterator[None]:
    for topic in topics:
        topic.subscribe(watcher)
    try:
        yield
    finally:
        for topic in topics:
            topic.unsubscribe(watcher)


async def _send_events(watcher: Watcher, send: Send) -> None:
    """Send what changes. Whoever reads slowly holds up nobody else: he is told the newest state when he is ready."""
    while not watcher.closed:
        events = await watcher.next_events(HEARTBEAT)
        try:
            await send({"type": "http.response.body", "body": events or b":\n\n", "more_body": True})
        except OSError:  # the browser went
            return
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _close_at_end(receive: Receive, watcher: Watcher) -> None:
    """Close the watcher when its browser goes."""
    while (await receive())["type"] != "http.disconnect":
        pass
    watcher.close()


class Script:
    """A script of the browser's, whose path says which one it is."""

    def __init__(self, files: list[Path]) -> None:
        self._text = "\n".join(file.read_text(encoding="utf-8") for file in files)
        self.path = f"{stream.PATH}/{hashlib.sha256(self._text.encode()).hexdigest()[:12]}.js"

    async def serve(self, _: Request) -> Response:
        """The script."""
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(self._text, media_type="text/javascript", headers=headers)


def routes(ending: Callable[[], bool]) -> list[BaseRoute]:
    """The stream and its scripts, for a server that has the page; from now on pages of this process use them."""
    scripts = {name: Script(files) for name, files in SCRIPTS.items()}
    stream.offer(**{name: script.path for name, script in scripts.items()})
    served = [Route(f"/{script.path}", script.serve) for script in scripts.values()]
    return [*served, Route(f"/{stream.PATH}", EventStream(ending))]
