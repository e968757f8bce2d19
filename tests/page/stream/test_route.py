"""The event stream over HTTP: each owner's own, whole after each beginning, and nothing is left when readers go."""

import asyncio
import gc
import json
import time
from collections.abc import Iterator, MutableMapping
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette

from blocks import render_blocks
from conversations.replies import turn, watch
from conversations.replies.reply import Reply
from conversations.store import State, Store
from page.session import stream
from page.stream import growing, routes
from page.stream.news import News
from page.stream.reply import GrowingReply
from page.stream.route import EventStream
from tests.asgi import listening
from tests.conftest import free_port
from tests.conversations.talk import ask, mine, over, wait_for
from tests.loopback import Loopback
from tests.page.stream.reader import Reader, reading, ticket

pytestmark = [pytest.mark.database, pytest.mark.server]


class Page:
    """The address of a server that has the stream alone, its endpoint, and whether it is about to end."""

    def __init__(self) -> None:
        self.ending = False
        all_routes = routes(lambda: self.ending)
        self.endpoint: EventStream = all_routes[-1].endpoint  # type: ignore[attr-defined]
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.port = port
        self.app = Starlette(routes=all_routes)


@pytest.fixture
def page() -> Iterator[Page]:
    """Something to ask for the stream."""
    page = Page()
    with listening(page.app, page.port):
        yield page
        assert wait_for(lambda: not page.endpoint._watchers, 30) is True
        assert page.endpoint._growing == {}
    stream.withdraw()


@pytest.fixture
def store() -> Store:
    """The store of the browser that `reading` is, unless it says otherwise."""
    return mine(ticket()[2])


@pytest.fixture
def slow(loopback: Loopback) -> Loopback:
    """A model that says a word each 20 ms."""
    loopback.pause = 0.02
    return loopback


def start(store: Store, server: Loopback, words: int = 100_000) -> Any:
    """The row of a reply that grows by a word at a time."""
    server.script.append(f"slow {words}")
    return turn.send(store, None, "hi", ask("openai"))


def test_a_reply_is_followed_to_its_end(page: Page, store: Store, slow: Loopback) -> None:
    row = start(store, slow, 60)
    topic = f"r:{row.id}"
    with reading(page.address, topic) as reader:
        reader.until_ended(topic)
    message = store.message(row.id)
    assert tuple(reader.states[topic]["blocks"]) == render_blocks(message.text)
    assert message.state == State.DONE
    assert len(reader.events) > 3
    assert sum(len(json.dumps(event)) for event in reader.events) < 40 * len(message.text)  # what is new, not all again


def test_who_begins_anew_or_comes_later_is_told_all(page: Page, store: Store, slow: Loopback) -> None:
    row = start(store, slow)
    topic = f"r:{row.id}"
    with reading(page.address, topic) as first:
        first.until_text(topic, "word5 ")
        with reading(page.address, topic) as second:
            second.until(lambda: topic in second.states)
            assert second.events[0]["whole"]
            assert "word0 word1 word2 word3 word4 word5" in second.html(topic)
    missed = len(watch.snapshot(store.database, row.id).text)  # type: ignore[union-attr]
    wait_for(lambda: len(watch.snapshot(store.database, row.id).text) > missed + 100)  # type: ignore[union-attr]
    with reading(page.address, topic) as again:
        again.until(lambda: topic in again.states)
        assert len(again.html(topic)) > missed + 100
        watch.stop(store, row.id)
        again.until_ended(topic)
    assert tuple(again.states[topic]["blocks"]) == render_blocks(over(store, row).text)
    assert store.message(row.id).state == State.STOPPED


def test_all_readers_of_a_reply_have_one_rendering(page: Page, store: Store, slow: Loopback) -> None:
    row = start(store, slow)
    topic = f"r:{row.id}"
    with reading(page.address, topic) as first, reading(page.address, topic) as second:
        for reader in (first, second):
            reader.until_text(topic, "word3 ")
        assert len(page.endpoint._growing) == 1
        watch.stop(store, row.id)
        for reader in (first, second):
            reader.until_ended(topic)
    assert first.html(topic) == second.html(topic)


def test_nobody_is_told_of_what_is_somebody_elses(page: Page, store: Store, slow: Loopback) -> None:
    row = start(store, slow)
    topics = f"r:{row.id}", f"c:{row.conversation_id}", "r:999999", "r:x"
    with reading(page.address, *topics, browser="other") as reader:
        reader.until(lambda: len(reader.states) == 4)
    assert reader.states[topics[0]] == {"topic": topics[0], "ended": True, "gone": True}
    assert reader.states[topics[1]]["version"] == "gone"
    assert all("word" not in json.dumps(event) for event in reader.events)
    watch.stop(store, row.id)
    over(store, row)


def test_a_ticket_is_of_use_to_its_browser_alone(page: Page, store: Store) -> None:
    signed, sent, _ = ticket()
    _, others, _ = ticket("other")
    forged = signed[:-2] + ("AA" if signed[-2:] != "AA" else "BB")
    for given, cookie in ((signed, {}), (signed, others), (forged, sent), ("", sent)):
        answer = httpx.get(f"{page.address}/events", params={"ticket": given, "t": "l"}, cookies=cookie)
        assert answer.status_code == 403
    with (
        httpx.Client(cookies={**others, **sent}) as both,
        both.stream("GET", f"{page.address}/events", params={"ticket": signed}) as answer,
    ):
        assert answer.status_code == 200


def test_a_ticket_ends_after_some_days(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    signed, sent, _ = ticket()
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3 * 86_400)
    assert httpx.get(f"{page.address}/events", params={"ticket": signed}, cookies=sent).status_code == 403


def test_news_of_a_conversation_and_of_the_list(page: Page, store: Store, slow: Loopback) -> None:
    row = turn.send(store, None, "hi", ask("openai"))
    over(store, row)
    topic = f"c:{row.conversation_id}"
    with reading(page.address, topic, "l") as reader:
        reader.until(lambda: len(reader.states) == 2)
        before = {name: state["version"] for name, state in reader.states.items()}
        store.update(row.conversation_id, title="Another name")
        reader.until(lambda: all(reader.states[name]["version"] != before[name] for name in before))
        listed = reader.states["l"]["version"]
        other = turn.send(store, None, "a second one", ask("openai"))
        reader.until(lambda: reader.states["l"]["version"] != listed)
        over(store, other)
        store.delete(row.conversation_id)
        reader.until(lambda: reader.states[topic]["version"] == "gone")
    wait_for(lambda: not News.of(store.database)._versions, 30)


async def test_a_slow_reader_holds_up_nobody_and_is_told_the_newest_state(store: Store, slow: Loopback) -> None:
    """The server that we are asked by waits with a reader whose connection is full: it is we who wait then."""
    row = await asyncio.to_thread(start, store, slow, 50)
    signed, sent, _ = ticket()
    name, value = next(iter(sent.items()))
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/events",
        "query_string": urlencode({"ticket": signed, "t": f"r:{row.id}"}).encode(),
        "headers": [(b"cookie", f"{name}={value}".encode())],
    }
    goes, ready, parts = asyncio.Event(), asyncio.Event(), list[bytes]()

    async def receive() -> dict[str, Any]:
        await goes.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if b"topic" in message.get("body", b""):
            parts.append(message["body"])
            await ready.wait()

    endpoint = EventStream(lambda: False)
    telling = asyncio.create_task(endpoint(scope, receive, send))
    await asyncio.to_thread(over, store, row)
    await asyncio.to_thread(wait_for, lambda: endpoint._growing[store.database, f"r:{row.id}"]._shown.ended)
    assert len(parts) == 1
    ready.set()
    await asyncio.to_thread(wait_for, lambda: b'"ended":true' in parts[-1])
    goes.set()
    await telling
    reader = Reader(iter(b"".join(parts).decode().splitlines()))
    reader.until_ended(f"r:{row.id}")
    assert len(parts) == 2
    assert tuple(reader.states[f"r:{row.id}"]["blocks"]) == render_blocks(store.message(row.id).text)
    assert endpoint._growing == {}


def test_the_server_ends_with_readers_there(page: Page, store: Store) -> None:
    with reading(page.address, "l") as reader:
        reader.until(lambda: "l" in reader.states)
        page.ending = True
        with pytest.raises(StopIteration):
            reader.until(lambda: False)


def test_what_a_reply_waits_for_is_told(
    page: Page, store: Store, slow: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "WAIT_TICK", 0.01)
    first = start(store, slow)
    second = turn.send(store, first.conversation_id, "and then?", ask("openai"))
    topic = f"r:{second.id}"
    with reading(page.address, topic) as reader:
        reader.until(lambda: topic in reader.states)
        assert reader.states[topic]["wait"] == "Waiting for the reply before this one…"
        wait_for(lambda: slow.sent > 0, 30)  # else the second one would ask for the slow reply
        watch.stop(store, first.id)
        reader.until_ended(topic)
    assert reader.html(topic) == f"<p>{slow.reply}</p>\n"
    assert reader.states[topic]["wait"] == ""


def test_a_thousand_replies_leave_nothing_behind(page: Page, store: Store, loopback: Loopback) -> None:
    for _ in range(20):
        rows = [turn.send(store, None, "hi", ask("openai")) for _ in range(50)]
        topics = [f"r:{row.id}" for row in rows]
        with reading(page.address, *topics) as reader:
            reader.until_ended(*topics)
    wait_for(lambda: not page.endpoint._growing, 30)
    del reader, rows
    gc.collect()
    found = map(type, gc.get_objects())  # isinstance would ask torch's modules for what is deprecated
    kinds = [kind for kind in found if kind in (GrowingReply, Reply)]
    assert kinds == []
