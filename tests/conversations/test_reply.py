"""Replies as jobs and conversations in memory, on the shipped model and on a slow server."""

import asyncio
import threading
import time
from typing import Any

import pytest

from chains.assistant import build
from conversations import conversation as conversations
from conversations.conversation import Conversation, MessageError, history
from conversations.reply import State
from settings import Settings
from tests.loopback import Loopback


def chain(backend: str = "llamacpp", **options: Any) -> Any:
    return build(Settings.read(), backend, options=options)


def test_a_reply_comes_without_anybody_watching() -> None:
    reply = Conversation().send("hi", chain(seed=1))
    assert reply.wait(60)
    assert reply.state is State.DONE
    assert reply.text
    assert reply.report.completion_tokens


def test_history_is_what_was_said(loopback: Loopback) -> None:
    conversation = Conversation()
    for text in ("one", "two"):
        assert conversation.send(text, chain("openai")).wait(60)
    said = [m["content"].strip() for m in loopback.requests[-1]["messages"][1:]]
    assert said == ["one", loopback.reply, "two"]


def test_a_second_message_waits_for_the_first_reply(loopback: Loopback) -> None:
    conversation = Conversation()
    replies = [conversation.send(text, chain("openai")) for text in ("one", "two", "three")]
    assert all(reply.wait(60) for reply in replies)
    asked = [request["messages"][-1]["content"] for request in loopback.requests]
    assert asked == ["one", "two", "three"]
    assert len(loopback.requests[-1]["messages"]) == 6


def test_messages_sent_at_once_keep_one_order(loopback: Loopback) -> None:
    conversation = Conversation()
    threads = [threading.Thread(target=conversation.send, args=(f"m{i}", chain("openai"))) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert all(turn.reply.wait(30) for turn in conversation.turns)
    assert [len(request["messages"]) for request in loopback.requests] == list(range(2, 18, 2))


def test_stop_keeps_the_text_and_closes_the_connection(loopback: Loopback) -> None:
    loopback.script.append("slow")
    reply = Conversation().send("hi", chain("openai"))
    wait_for(lambda: "word3" in reply.text)
    reply.stop()
    assert reply.wait(5)
    assert reply.state is State.STOPPED
    assert "word3" in reply.text
    wait_for(lambda: bool(loopback.gone))
    text = reply.text
    time.sleep(0.2)
    assert reply.text == text


def test_stop_before_the_start_is_a_stop(loopback: Loopback) -> None:
    loopback.script.append("slow")
    conversation = Conversation()
    first = conversation.send("one", chain("openai"))
    second = conversation.send("two", chain("openai"))
    wait_for(lambda: bool(loopback.requests))
    second.stop()
    assert second.wait(5)
    assert second.state is State.STOPPED
    first.stop()
    assert first.wait(5)
    assert len(loopback.requests) == 1


def test_a_failure_is_kept_as_text_and_left_out_of_history(loopback: Loopback) -> None:
    conversation = Conversation()
    loopback.script.append("refuse top_k")
    failed = conversation.send("one", chain("openai"))
    assert failed.wait(30)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert "top_k" in failed.error
    assert history(conversation.turns) == []
    assert conversation.send("two", chain("openai")).wait(30)
    assert [m["content"] for m in loopback.requests[-1]["messages"][1:]] == ["two"]


@pytest.mark.parametrize(("text", "said"), [("  \n", "empty"), ("x" * 100_001, "100,001 characters")])
def test_messages_that_cannot_be_sent(text: str, said: str) -> None:
    conversation = Conversation()
    with pytest.raises(MessageError, match=said):
        conversation.send(text, chain())
    assert conversation.turns == []


def test_a_conversation_is_found_by_its_id_alone() -> None:
    made = Conversation()
    assert conversations.find(made.id) is None, "nothing was said in it"
    made.send("hi", chain(max_tokens=1)).wait(30)
    assert conversations.find(made.id) is made
    assert conversations.find(made.id[:-1]) is None
    assert conversations.find(None) is None
    assert len(made.id) >= 22


def test_many_replies_leave_no_task_behind(loopback: Loopback) -> None:
    from conversations.loop import loop

    before = asyncio.run_coroutine_threadsafe(tasks(), loop()).result(5)
    for number in range(30):
        reply = Conversation().send(f"message {number}", chain("openai"))
        assert reply.wait(30)
    time.sleep(0.2)
    assert asyncio.run_coroutine_threadsafe(tasks(), loop()).result(5) <= before


async def tasks() -> int:
    return len(asyncio.all_tasks())


def wait_for(condition: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
