"""A reply that one process writes and another one watches, on a real PostgreSQL: word for word, or from the table."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from benchmarks.postgresql import Server
from conversations.replies import turn, watch
from conversations.replies.relay.notifier import channel_of
from conversations.replies.relay.relay import PIECE
from conversations.replies.writer import PROCESS, reply_writer
from conversations.store.schema import State
from conversations.store.store import NotFoundError, Store
from settings import ROOT
from tests.conftest import free_port
from tests.conversations.talk import ask, grown, mine, over, wait_for
from tests.loopback import KEY, Loopback, running

LONG = "\U0001f98a\U0001f30d" * 3000 + "\x01" * 1500 + " end"  # 24,000 bytes of emoji, 9,000 of escapes in JSON

WRITER = """
import json, sys
from conversations.replies import turn, watch
from tests.conversations.talk import ask, mine
store, row = mine(), None
for line in sys.stdin:
    if line.startswith("send"):
        row = turn.send(store, None, line, ask("openai"))
    else:
        row = turn.continue_reply(store, int(line), ask("openai"))
    print(json.dumps(row.id), flush=True)
"""


class Writer:
    """Another process that writes a reply for each line."""

    def __init__(self, popen: "subprocess.Popen[str]") -> None:
        self.popen = popen

    def write(self, line: str = "send") -> int:
        """Begin a reply; its message's number."""
        assert self.popen.stdin is not None
        assert self.popen.stdout is not None
        print(line, file=self.popen.stdin, flush=True)
        return int(json.loads(self.popen.stdout.readline()))


@pytest.fixture(scope="module")
def elsewhere(postgresql_server: Server) -> Iterator[tuple[Writer, Loopback, dict[str, str]]]:
    """One other process for all tests, the scripted server that answers it, and the variables that both read."""
    with postgresql_server.database() as url, running(free_port()) as server:
        shared = {"DATABASE_URL": url, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY}
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **shared},
        )
        yield Writer(process), server, shared
        process.kill()
        process.communicate()


@pytest.fixture
def loopback(
    elsewhere: tuple[Writer, Loopback, dict[str, str]], fresh_backends: None, monkeypatch: pytest.MonkeyPatch
) -> Loopback:
    """The scripted server, as new."""
    _, server, shared = elsewhere
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    vars(server).update({**vars(Loopback()), "url": server.url})
    return server


@pytest.fixture
def writer(elsewhere: tuple[Writer, Loopback, dict[str, str]], loopback: Loopback) -> Iterator[Writer]:
    """The other process, when this one hears notes; what it still writes at the end is stopped."""
    store = mine()
    broadcast = reply_writer(store.database).relay
    assert broadcast.notifier is not None
    broadcast.start()
    wait_for(lambda: broadcast.notifier is not None and broadcast.notifier.connected)
    yield elsewhere[0]
    store = mine()
    for conversation in store.listing():
        watch.stop_all(store, conversation.id)
    with connected() as connection:
        left = "SELECT 1 FROM message WHERE state IN ('waiting', 'running')"
        wait_for(lambda: connection.execute(left).fetchone() is None)


@contextmanager
def connected() -> Iterator["psycopg.Connection[Any]"]:
    """A connection of the test's own."""
    url = make_url(os.environ["DATABASE_URL"])
    with psycopg.connect(
        host=str(url.query["host"]), user=url.username, dbname=url.database, autocommit=True
    ) as connection:
        yield connection


def listeners() -> list[int]:
    """The server's processes of the connections that listen."""
    with connected() as connection:
        query = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %' ORDER BY pid"
        )
        return [row[0] for row in connection.execute(query)]


def heard(store: Store, number: int) -> Any:
    """Wait until pieces come."""

    def coming() -> Any:
        watch.snapshot(store.database, number)
        found = reply_writer(store.database).relay.remote_replies.get(number)
        return found if found is not None and not found.lost else None

    return wait_for(coming)


def seen(store: Store, number: int, until: Callable[[str], bool]) -> list[str]:
    """All texts that a page would have drawn, each longer than the one before."""
    drawn = [""]
    while not until(drawn[-1]):
        message = watch.snapshot(store.database, number)
        assert message is not None
        assert message.text.startswith(drawn[-1])
        if message.text != drawn[-1]:
            drawn.append(message.text)
        if not message.live:
            break
        time.sleep(0.005)
    return drawn[1:]


def test_who_watches_from_elsewhere_sees_words_that_are_not_saved_yet(writer: Writer, loopback: Loopback) -> None:
    loopback.script.append("slow 40")
    number, store = writer.write(), mine()
    heard(store, number)
    wait_for(lambda: watch.snapshot(store.database, number).text > store.message(number).text)  # type: ignore[union-attr]
    drawn = seen(store, number, lambda _: False)
    assert drawn[-1] == "".join(f"word{n} " for n in range(40))
    assert store.message(number).text == drawn[-1]
    assert number not in reply_writer(store.database).relay.remote_replies


async def test_a_stream_from_elsewhere_comes_piece_by_piece_and_is_whole(writer: Writer, loopback: Loopback) -> None:
    loopback.script.append("slow 40")
    number, store = writer.write(), mine()
    grown(store, store.message(number), 30)  # it comes in the middle
    pieces = [piece async for piece in watch.follow(store, number, 4)]
    assert len(pieces) > 6  # saves alone would give four
    assert "".join(pieces) == "".join(f"word{n} " for n in range(40))[4:]
    with pytest.raises(NotFoundError):
        await anext(watch.follow(mine("somebody else"), number))


def test_stop_from_elsewhere_needs_no_save(writer: Writer, loopback: Loopback) -> None:
    loopback.script.append("slow 2000")
    number, store = writer.write(), mine()
    heard(store, number)
    row = store.message(number)
    grown(store, row)
    reply_writer(store.database).relay.stop(row)  # without the mark in the row
    stopped = over(store, row)
    assert (stopped.state, stopped.stopping) == (State.STOPPED, False)
    wait_for(lambda: loopback.gone)
    assert stopped.text == "".join(f"word{n} " for n in range(len(stopped.text.split())))


def test_nothing_is_told_while_nobody_watches(writer: Writer, loopback: Loopback) -> None:
    loopback.script.append("slow 2000")
    number, store = writer.write(), mine()
    process = store.message(number).process
    assert process is not None
    with connected() as connection:
        wait_for(lambda: len(listeners()) == 2)  # the writer's, too
        for name in (channel_of(process), channel_of(PROCESS)):
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(name)))
        list(connection.notifies(timeout=0.2))  # the writer's own hello
        assert list(connection.notifies(timeout=0.8)) == []
        assert store.message(number).live
        heard(store, number)
        assert any("piece" in json.loads(note.payload) for note in connection.notifies(timeout=300, stop_after=3)
                   if note.channel == channel_of(PROCESS) and note.payload != "hello")  # fmt: skip
        reply_writer(store.database).relay.stop(store.message(number))
        assert over(store, store.message(number)).state == State.STOPPED
        any('"over"' in note.payload for note in connection.notifies(timeout=300))  # the last that is told
        assert list(connection.notifies(timeout=0.3)) == []


def test_connections_that_are_cut_come_back(
    writer: Writer, loopback: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    loopback.script.append("slow 2000")
    number, store = writer.write(), mine()
    state = heard(store, number)
    row = store.message(number)
    before = wait_for(lambda: len(found := listeners()) == 2 and found)
    with connected() as connection:
        for pid in before:
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    grown(store, row, len(state.text) + 30)
    wait_for(lambda: watch.snapshot(store.database, number) and len(listeners()) == 2)
    assert not set(before) & set(listeners())
    state.mark_lost()
    heard(store, number)
    drawn = seen(store, number, lambda text: len(text) > 600)
    assert drawn[-1] == "".join(f"word{n} " for n in range(len(drawn[-1].split())))
    reply_writer(store.database).relay.stop(row)
    last = over(store, row)
    assert (last.state, last.text.startswith(drawn[-1])) == (State.STOPPED, True)
    told = [record.getMessage() for record in caplog.records if "read from the table" in record.getMessage()]
    assert len(told) == 1
    assert "word" not in caplog.text


def test_a_writer_that_hears_nothing_is_watched_and_stopped_in_the_table(loopback: Loopback) -> None:
    """An older version, or one behind a pooler that passes no notes on."""
    store = mine()
    with store.database.writing() as session:
        question = turn.add_message(session, store.create(session), None, text="hi")
        row = turn.add_reply(session, store, question)
        row.process = "another process that does not listen"
    words = ""
    for word in ("one ", "two ", "three "):
        words += word
        with store.database.writing() as session:
            store.message_row(session, row.id).text = words
        assert grown(store, row, len(words) - 1) == words
    watch.stop(store, row.id)
    assert store.message(row.id).stopping
    with store.database.writing() as session:
        store.message_row(session, row.id).state = State.STOPPED
    assert over(store, row).text == words


def test_a_gap_a_repetition_and_nonsense_change_nothing(writer: Writer, loopback: Loopback) -> None:
    loopback.script.append("slow 40")
    number, store = writer.write(), mine()
    heard(store, number)
    by = channel_of(store.message(number).process or "")
    notes = [
        {"piece": number, "by": by, "at": 5000, "text": "far away "},
        {"piece": number, "by": by, "at": 0, "text": "word0 "},
        {"piece": number, "by": "somebody else", "at": 12, "text": "false "},
        {"piece": number, "by": by, "at": "0"},
        {"over": number},
        {"watch": "all", "to": by, "have": -1, "lost": True},
        ["stop", number],
    ]
    with connected() as connection:
        for note in [*map(json.dumps, notes), "{", "[" * 7000]:
            connection.execute("SELECT pg_notify(%s, %s)", (channel_of(PROCESS), note))
    drawn = seen(store, number, lambda _: False)
    assert drawn[-1] == store.message(number).text == "".join(f"word{n} " for n in range(40))


def test_long_pieces_of_any_characters_come_whole(writer: Writer, loopback: Loopback) -> None:
    loopback.answer = lambda _: LONG
    first, store = writer.write("send"), mine()
    whole = over(store, store.message(first)).text
    assert len(whole.encode()) > 25_000
    loopback.script.append("slow 30")
    loopback.sent = 0
    assert writer.write(str(first)) == first
    with store.database.writing() as session:
        store.message_row(session, first).text = ""  # so that all of it is asked for, until the next save
    broadcast = reply_writer(store.database).relay
    state = heard(store, first)
    wait_for(lambda: len(state.text) > len(whole))
    assert state.text.startswith(whole)
    assert len(whole) > 3 * PIECE
    reply_writer(store.database).relay.stop(store.message(first))
    assert over(store, store.message(first)).text.startswith(whole)
    assert first not in broadcast.remote_replies


def test_what_is_continued_elsewhere_is_followed_there(writer: Writer, loopback: Loopback) -> None:
    loopback.script.extend(["slow 200", "slow 20"])
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    grown(store, row, 20)
    watch.stop(store, row.id)
    begun = over(store, row).text
    assert writer.write(str(row.id)) == row.id
    drawn = seen(store, row.id, lambda _: False)
    assert drawn[-1] == begun + "".join(f"word{n} " for n in range(20))


def test_a_database_that_is_closed_leaves_no_connection(writer: Writer, loopback: Loopback) -> None:
    loopback.script.append("slow 2000")
    number, store = writer.write(), mine()
    heard(store, number)
    assert len(listeners()) == 2
    store.database.close()
    wait_for(lambda: len(listeners()) == 1)


async def test_several_follow_one_reply_from_several_event_loops(writer: Writer, loopback: Loopback) -> None:
    loopback.script.append("slow 30")
    number, store = writer.write(), mine()

    async def all_of_it() -> str:
        return "".join([piece async for piece in watch.follow(store, number)])

    here = asyncio.gather(all_of_it(), all_of_it())
    there = await asyncio.to_thread(lambda: asyncio.run(all_of_it()))
    assert {there, *await here} == {"".join(f"word{n} " for n in range(30))}
