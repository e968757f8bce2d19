"""Replies as jobs: watched, stopped, in turn, and gone from memory afterwards."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from statistics import mean

import pytest
from langchain_core.exceptions import ModelTimeoutError
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from conversations.replies import turn, watch
from conversations.replies.reply import Reply, listeners, running_replies
from conversations.replies.writer import reply_writer
from conversations.store.schema import State
from conversations.store.text import MessageError
from settings import ROOT
from tests.conversations.talk import ask, grown, mine, over, texts, wait_for
from tests.loopback import Loopback


def test_a_reply_comes_without_anybody_watching() -> None:
    store = mine()
    row = over(store, turn.send(store, None, "hi", ask(seed=1)))
    assert (row.state, row.backend) == (State.DONE, "llamacpp")
    assert row.text
    assert row.completion_tokens


def test_history_is_what_was_said(loopback: Loopback) -> None:
    store = mine()
    first = over(store, turn.send(store, None, "one", ask("openai")))
    over(store, turn.send(store, first.conversation_id, "two", ask("openai")))
    said = [m["content"].strip() for m in loopback.requests[-1]["messages"][1:]]
    assert said == ["one", loopback.reply, "two"]


def test_messages_sent_at_once_keep_one_order(loopback: Loopback) -> None:
    store = mine()
    first = turn.send(store, None, "m", ask("openai"))
    threads = [
        threading.Thread(target=turn.send, args=(store, first.conversation_id, f"m{i}", ask("openai")))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for message in store.thread(first.conversation_id).messages[1::2]:
        over(store, message)
    assert [len(request["messages"]) for request in loopback.requests] == list(range(2, 20, 2))
    assert len(texts(store, first.conversation_id)) == 18


def test_stop_keeps_the_text_and_closes_the_connection(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    grown(store, row, 30)
    watch.stop(store, row.id)
    stopped = over(store, row)
    assert stopped.state == State.STOPPED
    assert stopped.text.startswith("word0 word1")
    wait_for(lambda: loopback.gone)
    assert not reply_writer(store.database).replies


def test_a_reply_that_waits_can_be_stopped(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    first = turn.send(store, None, "one", ask("openai"))
    second = turn.send(store, first.conversation_id, "two", ask("openai"))
    grown(store, first)
    watch.stop(store, second.id)
    assert over(store, second).state == State.STOPPED
    watch.stop(store, first.id)
    assert over(store, first).state == State.STOPPED
    assert len(loopback.requests) == 1


def test_deleting_the_conversation_ends_its_reply(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    grown(store, row)
    store.delete(row.conversation_id)
    wait_for(lambda: loopback.gone)
    wait_for(lambda: not reply_writer(store.database).replies)
    assert watch.snapshot(store.database, row.id) is None


def test_every_watcher_sees_all_of_it_in_order_once(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    seen: list[list[str]] = [[] for _ in range(5)]

    async def see(pieces: list[str], late: float) -> None:
        await asyncio.sleep(late)
        async for piece in watch.follow(store, row.id):
            pieces.append(piece)

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for number, pieces in enumerate(seen):
                group.create_task(see(pieces, 0.2 * number))
            await asyncio.sleep(2)
            watch.stop(store, row.id)

    asyncio.run(all_of_them())
    whole = over(store, row).text
    assert ["".join(pieces) for pieces in seen] == [whole] * 5
    assert len(seen[0]) > 10


def test_the_text_is_saved_twice_a_second(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    grown(store, row)
    lengths = set()
    for _ in range(40):
        time.sleep(0.05)
        lengths.add(len(store.message(row.id).text))
    assert len(lengths) >= 4, "in two seconds"
    store.delete(row.conversation_id)


def test_a_failure_is_kept_as_text_and_left_out_of_history(loopback: Loopback) -> None:
    store = mine()
    loopback.script.append("refuse top_k")
    failed = over(store, turn.send(store, None, "one", ask("openai")))
    assert failed.state == State.FAILED
    assert "top_k" in (failed.error or "")
    over(store, turn.send(store, failed.conversation_id, "two", ask("openai")))
    assert [m["content"] for m in loopback.requests[-1]["messages"][1:]] == ["two"]


def test_a_cut_reply_goes_on_where_it_ended(loopback: Loopback) -> None:
    loopback.script.append("cut")
    store = mine()
    cut = over(store, turn.send(store, None, "hi", ask("openai")))
    assert (cut.state, cut.text) == (State.FAILED, "It is a ")
    loopback.reply = "fine day ."
    row = over(store, turn.continue_reply(store, cut.id, ask("openai")))
    assert (row.id, row.state, row.text, row.error) == (cut.id, State.DONE, "It is a fine day . ", None)
    *_, question, partial, instruction = [m["content"] for m in loopback.requests[-1]["messages"]]
    assert (question, partial) == ("hi", "It is a ")
    assert "cut off" in instruction
    assert row.completion_tokens == (cut.completion_tokens or 0) + 3


def test_what_cannot_be_done_is_said(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    question = store.thread(row.conversation_id).messages[0]
    with pytest.raises(MessageError, match="that has begun"):
        turn.continue_reply(store, question.id, ask("openai"))
    with pytest.raises(MessageError, match="regenerated"):
        turn.edit(store, row.id, "x", ask("openai"))
    with pytest.raises(MessageError, match="Only a reply"):
        turn.regenerate(store, question.id, ask("openai"))
    grown(store, row)
    wait_for(lambda: store.message(row.id).text)
    with pytest.raises(MessageError, match="being written"):
        turn.continue_reply(store, row.id, ask("openai"))
    with pytest.raises(MessageError, match="empty"):
        turn.send(store, row.conversation_id, " ", ask("openai"))
    with pytest.raises(MessageError, match="at least one"):
        turn.compare(store, "hi", [])
    store.delete(row.conversation_id)


def test_one_question_to_several_at_once(loopback: Loopback) -> None:
    store = mine()
    rows = turn.compare(store, "hi", [ask("openai"), ask("llamacpp"), ask("openai", temperature=0.1)])
    found = [over(store, row) for row in rows]
    assert [row.backend for row in found] == ["openai", "llamacpp", "openai"]
    assert all(row.text for row in found)
    thread = store.thread(rows[0].conversation_id)
    assert (thread.conversation.kind, thread.branches[rows[0].id]) == ("compare", [row.id for row in rows])


MANY = """
import asyncio, gc, json, psutil
from conversations.replies import turn
from conversations.replies.writer import reply_writer
from conversations.replies.loop import loop
from tests.conversations.talk import ask, mine, over

store = mine()

def some(count):
    for row in [turn.send(store, None, f"message {n}", ask(max_tokens=2)) for n in range(count)]:
        over(store, row)
    gc.collect()
    return len(gc.get_objects()), psutil.Process().memory_info().rss

async def tasks():
    return len(asyncio.all_tasks())

seen = [some(50) for _ in range(15)]
left = asyncio.run_coroutine_threadsafe(tasks(), loop()).result(5)
print(json.dumps([*zip(*seen), len(reply_writer(store.database).replies), left]))
"""


def test_hundreds_of_replies_leave_nothing_in_memory() -> None:
    """In a process of its own: what other tests left to be freed would be counted here."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", MANY], env=environment, capture_output=True, text=True, check=True)
    objects, resident, replies, left = json.loads(done.stdout)
    # Caches of the last so many fill with the first 250; means, since what runs beside has some hundred objects, too.
    assert mean(objects[10:]) - mean(objects[5:10]) < 200, "not one object for each of 250 replies"
    assert resident[-1] - max(resident[:7]) < 18_000_000
    assert replies == 0
    assert left <= 3


def test_a_running_reply_is_not_begun_twice_whatever_the_table_says(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    wait_for(lambda: store.message(row.id).text)
    for _ in range(20):
        with store.database.writing() as session:
            store.message_row(session, row.id).state = State.INTERRUPTED  # as a clock that jumps ahead makes it
        with pytest.raises(MessageError, match="being written"):
            turn.continue_reply(store, row.id, ask("openai"))
    watch.stop(store, row.id)
    words = over(store, row).text.split()
    assert words == [f"word{n}" for n in range(len(words))]


def test_words_saved_at_the_last_moment_are_not_lost_by_going_on(loopback: Loopback, postgresql_url: str) -> None:
    loopback.script.append("cut")
    store = mine()
    cut = over(store, turn.send(store, None, "hi", ask("openai")))

    saved: list[str] = []

    def just_before(asked: ORMExecuteState) -> None:
        if asked.is_update and not saved:
            saved.append("once")
            with store.database.writing() as session:
                store.message_row(session, cut.id).text = "It is a fine day"

    event.listen(Session, "do_orm_execute", just_before)
    try:
        row = over(store, turn.continue_reply(store, cut.id, ask("openai")))
    finally:
        event.remove(Session, "do_orm_execute", just_before)
    assert row.text.startswith("It is a fine day")


async def test_a_follower_gets_the_first_piece_and_the_end_at_once() -> None:
    """From another loop than the replies' own; what comes in between is given in few pieces, whole and in order."""

    async def words(_: Reply) -> AsyncIterator[str]:
        for number in range(300):
            yield f"{number} "
            await asyncio.sleep(0.001)

    reply = Reply(words)
    pieces = [piece async for piece in reply.follow()]
    assert "".join(pieces) == reply.text == "".join(f"{number} " for number in range(300))
    assert pieces[0] in {"0 ", "0 1 "}
    assert len(pieces) < 60, "some fifty a second"
    assert [piece async for piece in reply.follow(after=len(reply.text) - 4)] == ["299 "], "after the end too"


async def test_who_waits_for_the_end_hears_of_it_from_any_loop() -> None:
    go = threading.Event()

    async def late(_: Reply) -> AsyncIterator[str]:
        yield "a"
        await asyncio.to_thread(go.wait)
        yield "b"

    heard: list[Reply] = []
    listeners.append(heard.append)
    try:
        reply = Reply(late)
        waiting = [asyncio.ensure_future(reply.join()) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert reply in running_replies()
        assert not any(task.done() for task in waiting)
        go.set()
        await asyncio.wait_for(asyncio.gather(*waiting), 5)
    finally:
        listeners.remove(heard.append)
    assert reply not in running_replies()
    assert heard == [reply]
    await reply.join()  # at once after the end


async def test_a_reply_that_is_ended_says_why_and_a_failed_one_keeps_its_failure() -> None:
    async def never(_: Reply) -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(60)

    async def broken(_: Reply) -> AsyncIterator[str]:
        yield "a"
        raise ModelTimeoutError("too late")

    cut, failed = Reply(never), Reply(broken)
    cut.stop(State.INTERRUPTED)
    await cut.join()
    await failed.join()
    assert cut.state == State.INTERRUPTED
    assert (failed.state, failed.error, type(failed.failure)) == (State.FAILED, "too late", ModelTimeoutError)


async def test_a_stop_that_a_library_loses_is_asked_for_again() -> None:
    started = asyncio.Event()

    async def deaf(_: Reply) -> AsyncIterator[str]:
        yield "a"
        with suppress(asyncio.CancelledError):
            loop_of_test.call_soon_threadsafe(started.set)
            await asyncio.sleep(60)
        while True:
            yield "b"
            await asyncio.sleep(0.001)

    loop_of_test = asyncio.get_running_loop()
    reply = Reply(deaf)
    await started.wait()
    reply.stop(State.INTERRUPTED)
    await reply.join()
    assert (reply.text, reply.state) == ("a", State.INTERRUPTED)


async def test_who_follows_after_the_end_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations.replies.reply.PAUSE", 5.0)

    async def short(_: Reply) -> AsyncIterator[str]:
        yield "all of it"

    reply = Reply(short)
    await reply.join()
    began = time.monotonic()
    assert [piece async for piece in reply.follow()] == ["all of it"]
    assert time.monotonic() - began < 3
