"""Several processes and one database, and what is left when one is killed in the middle of its replies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from conversations.replies import turn, watch
from conversations.replies import writer as writer_module
from conversations.store.schema import State
from conversations.store.store import HEARTBEAT_TIMEOUT
from settings import ROOT
from tests.conversations.talk import ask, grown, mine, over, texts, wait_for
from tests.loopback import Loopback

pytestmark = pytest.mark.usefixtures("database_url")
Writer = Callable[[int], tuple["subprocess.Popen[str]", list[int]]]

WRITER = """
import json, os, sys
import backends
from conversations.replies import preload, turn
from conversations.store.database import disconnect
from conversations.replies.reply import running_replies
from tests.conversations.talk import ask, mine

for line in sys.stdin:
    order = json.loads(line)
    left = list(running_replies())
    for reply in left:
        reply.stop()
    for reply in left:
        reply.wait(5)
    for forget in (disconnect, backends.unload, preload.reset):
        forget()
    os.environ.update(order["environment"])
    rows = [turn.send(mine(), None, f"question {n}", ask("openai")) for n in range(order["count"])]
    print(json.dumps([row.id for row in rows]), flush=True)
"""
READ = ("DATABASE_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY")


def begun() -> "subprocess.Popen[str]":
    """A process that writes what it is told to."""
    command = [sys.executable, "-c", WRITER]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def told(process: "subprocess.Popen[str]", count: int) -> list[int]:
    """The numbers of so many replies that it writes now, in the database and from the server of this test."""
    assert process.stdin is not None
    assert process.stdout is not None
    order = {"count": count, "environment": {name: os.environ[name] for name in READ if name in os.environ}}
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    numbers: list[int] = json.loads(process.stdout.readline())
    return numbers


def killed(process: "subprocess.Popen[str]") -> None:
    """At once."""
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def lasting() -> Iterator["subprocess.Popen[str]"]:
    """One other process for all tests that do not end it."""
    process = begun()
    yield process
    killed(process)


@pytest.fixture
def other(lasting: "subprocess.Popen[str]", loopback: Loopback) -> Iterator[Callable[[], int]]:
    """Has it write a slow reply; the number of that."""

    def start() -> int:
        loopback.script.append("slow")
        return told(lasting, 1)[0]

    yield start
    assert told(lasting, 0) == []  # nothing runs on, and the database can go


@pytest.fixture
def writer(loopback: Loopback) -> Iterator[Writer]:
    """Another process, to be ended, that writes so many slow replies."""
    started: list[subprocess.Popen[str]] = []

    def start(count: int) -> tuple["subprocess.Popen[str]", list[int]]:
        loopback.script.extend(["slow"] * count)
        started.append(begun())
        return started[-1], told(started[-1], count)

    yield start
    for process in started:
        killed(process)


def test_twenty_replies_survive_kill_9(writer: Writer) -> None:
    process, numbers = writer(20)
    store = mine()
    wait_for(lambda: all(len(store.message(n).text) > 20 for n in numbers))
    saved = {n: store.message(n).text for n in numbers}
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert {watch.snapshot(store.database, n).state for n in numbers} == {State.RUNNING}  # type: ignore[union-attr]
    wait_for(lambda: not any(watch.snapshot(store.database, n).live for n in numbers), HEARTBEAT_TIMEOUT + 10)  # type: ignore[union-attr]
    for number, begun in saved.items():
        row = store.message(number)
        assert row.state == State.INTERRUPTED
        assert row.text.startswith(begun)
        words = row.text.split()
        assert words == [f"word{n}" for n in range(len(words))]
    row = over(store, turn.continue_reply(store, numbers[0], ask("openai")))
    assert (row.state, row.text) == (State.DONE, store.message(numbers[0]).text)
    assert row.text.endswith("It is a fine day . ")


def test_one_process_dies_and_the_other_writes_on(writer: Writer, other: Callable[[], int]) -> None:
    dying, [lost] = writer(1)
    store = mine()
    wait_for(lambda: store.message(lost).text)
    dying.kill()
    dying.wait()
    kept = other()
    wait_for(lambda: store.message(kept).text)
    wait_for(lambda: not watch.snapshot(store.database, lost).live, HEARTBEAT_TIMEOUT + 10)  # type: ignore[union-attr]
    assert store.message(lost).state == State.INTERRUPTED
    assert store.message(kept).state == State.RUNNING
    before = store.message(kept).text
    wait_for(lambda: len(store.message(kept).text) > len(before))


def test_a_reply_is_watched_and_stopped_from_another_process(other: Callable[[], int], loopback: Loopback) -> None:
    number = other()
    store = mine()
    row = store.message(number)
    first = grown(store, row)
    assert len(grown(store, row, len(first))) > len(first)
    watch.stop(store, number)
    stopped = over(store, row)
    assert stopped.state == State.STOPPED
    wait_for(lambda: loopback.gone)


def test_a_message_waits_for_the_reply_of_another_process(other: Callable[[], int], loopback: Loopback) -> None:
    number = other()
    store = mine()
    row = store.message(number)
    grown(store, row)
    second = turn.send(store, row.conversation_id, "second", ask("openai"))
    time.sleep(0.6)
    assert len(loopback.requests) == 1
    watch.stop(store, number)
    over(store, second)
    assert [m["role"] for m in loopback.requests[-1]["messages"]] == ["system", "user", "assistant", "user"]
    assert texts(store, row.conversation_id)[1] == loopback.requests[-1]["messages"][2]["content"]


def test_deleting_ends_the_reply_of_another_process(other: Callable[[], int], loopback: Loopback) -> None:
    number = other()
    store = mine()
    grown(store, store.message(number))
    store.delete(store.message(number).conversation_id)
    wait_for(lambda: loopback.gone)


def test_a_process_that_ends_says_so_at_once(writer: Writer, loopback: Loopback) -> None:
    process, [number] = writer(1)
    store = mine()
    wait_for(lambda: store.message(number).text)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert store.message(number).state == State.INTERRUPTED


def test_a_reply_that_another_process_took_over_is_let_go(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    grown(store, row)
    with store.database.writing() as session:
        taken = store.message_row(session, row.id)
        taken.process, taken.text = "another", "continued there"
    wait_for(lambda: loopback.gone)
    assert store.message(row.id).text == "continued there"
    assert store.message(row.id).live


def test_saving_goes_on_after_a_failure(loopback: Loopback, caplog: pytest.LogCaptureFixture) -> None:
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    wait_for(lambda: store.message(row.id).text)
    with store.database.writing() as session:
        session.execute(text("ALTER TABLE message RENAME TO mislaid"))
    wait_for(lambda: "could not be saved" in caplog.text)
    assert "word1" not in caplog.text
    with store.database.writing() as session:
        session.execute(text("ALTER TABLE mislaid RENAME TO message"))
    before = store.message(row.id).text
    wait_for(lambda: len(store.message(row.id).text) > len(before))
    watch.stop(store, row.id)
    assert over(store, row).state == State.STOPPED


@pytest.mark.parametrize(("ended", "read"), [("st\x00op", 2**31), ("\ud800", 10**30), (7, -1), ("x" * 1000, "many")])
def test_what_a_server_says_of_itself_never_keeps_a_reply_from_being_saved(
    loopback: Loopback, ended: Any, read: Any
) -> None:
    loopback.ended, loopback.read, loopback.reply = ended, read, "half \ud83d a"
    store = mine()
    row = over(store, turn.send(store, None, "hi", ask("openai")))
    assert (row.state, row.text) == (State.DONE, "half \ufffd a ")
    assert (row.stop_reason, row.prompt_tokens) == ("stop", 7), "which the total tells"


def test_a_reply_that_ends_while_the_database_is_away_is_saved_afterwards(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "PAUSE", 0.01)
    monkeypatch.setattr(writer_module, "MAX_PAUSE", 0.1)
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    grown(store, row)
    running = writer_module.reply_writer(store.database).replies[row.id]
    with store.database.writing() as session:
        session.execute(text("ALTER TABLE message RENAME TO mislaid"))
    running.stop()
    time.sleep(2)
    with store.database.writing() as session:
        session.execute(text("ALTER TABLE mislaid RENAME TO message"))
    assert running.wait(10)
    saved = store.message(row.id)
    assert (saved.state, saved.text) == (State.STOPPED, running.text)


def test_what_ended_unsaved_is_saved_when_the_process_ends(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "PAUSE", 3)
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    running = writer_module.reply_writer(store.database).replies[row.id]
    wait_for(lambda: running.text)
    with store.database.writing() as session:
        session.execute(text("ALTER TABLE message RENAME TO mislaid"))
    running.stop()
    wait_for(lambda: running.state == State.STOPPED)
    time.sleep(0.3)
    with store.database.writing() as session:
        session.execute(text("ALTER TABLE mislaid RENAME TO message"))
    writer_module.interrupt_all()
    saved = store.message(row.id)
    assert (saved.state, saved.text) == (State.STOPPED, running.text)
    assert running.wait(10)
