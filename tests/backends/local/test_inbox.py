"""From the engine's thread to a task: the first text at once, then few chunks with all words and a true count."""

import asyncio
import math
import threading
import time
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from backends.local.engine import Event
from backends.local.inbox import CROWDED_PAUSE, PAUSE, Inbox, merge_events
from chains.assistant import build
from chains.report import Report
from settings import Settings
from tests.backends.test_local import NOISE


async def test_the_first_text_comes_at_once_and_the_rest_together() -> None:
    inbox = Inbox()
    inbox.put(Event(text="a", tokens=1))
    assert await inbox.take() == [Event(text="a", tokens=1)]
    began = time.monotonic()
    for text in ("bcd", "efg"):
        for number, letter in enumerate(text, 2):
            inbox.put(Event(text=letter, tokens=number))
        assert await inbox.take() == [Event(text=text, tokens=4)]
    assert time.monotonic() - began >= PAUSE * 0.8


async def test_many_are_given_to_at_the_same_beats() -> None:
    """Each waking of the loop costs, and text of eight chats is read no faster than of one."""
    beats = set[float]()
    for _ in range(8):
        inbox = Inbox(lambda: 8)
        inbox.put(Event(text="a", tokens=1))
        await inbox.take()
        beats.add(inbox._next)
        await asyncio.sleep(0.001)
    assert all(math.isclose(beat / CROWDED_PAUSE, round(beat / CROWDED_PAUSE)) for beat in beats)
    assert len(beats) < 8


async def test_what_is_more_than_text_waits_for_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.local.inbox.PAUSE", 5.0)
    for last in (Event(finish="stop", tokens=2), Event(position=0), Event(error=ValueError("x"))):
        inbox = Inbox()
        inbox.put(Event(text="a", tokens=1))
        await inbox.take()
        began = time.monotonic()
        inbox.put(Event(text="b", tokens=2))
        threading.Timer(0.002, inbox.put, [last]).start()
        found = await inbox.take()
        assert time.monotonic() - began < 4
        assert "".join(event.text for event in found) == "b"
        assert [each for each in (found[-1].finish, found[0].position, found[-1].error) if each is not None]


async def test_nothing_is_lost_between_two_threads() -> None:
    inbox = Inbox()

    def speak() -> None:
        for number in range(20_000):
            inbox.put(Event(text="x", tokens=number + 1))
        inbox.put(Event(tokens=20_000, finish="length"))

    thread = threading.Thread(target=speak)
    thread.start()
    text, last = "", Event()
    while last.finish is None:
        for event in await asyncio.wait_for(inbox.take(), 10):
            text += event.text
            last = event
    thread.join()
    assert (len(text), last.tokens) == (20_000, 20_000)


def test_whoever_is_gone_is_noticed() -> None:
    async def made() -> Inbox:
        return Inbox()

    inbox = asyncio.run(made())
    with pytest.raises(RuntimeError, match="nobody"):
        inbox.put(Event(text="a"))


def test_text_goes_before_the_error_after_it() -> None:
    error = Event(error=ValueError("x"))
    assert list(merge_events([Event(position=1), Event(text="a", tokens=1), Event(text="b", tokens=2), error])) == [
        Event(position=1), Event(text="ab", tokens=2), error
    ]  # fmt: skip


async def test_chunks_are_few_and_their_tokens_add_up(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.local.inbox.PAUSE", 0.2)  # so that a busy machine is no slower
    options: dict[str, Any] = {"raw": True, "max_tokens": 100, "ignore_eos": True, "seed": 1, **NOISE}
    chunks = [chunk async for chunk in model.astream([HumanMessage("I like")], **options)]
    assert sum(chunk.usage_metadata["output_tokens"] for chunk in chunks) == 100
    assert sum(chunk.usage_metadata["input_tokens"] for chunk in chunks) == len(model.get_token_ids("I like"))
    assert len(chunks) < 50
    assert "".join(chunk.text for chunk in chunks) == "".join(
        chunk.text for chunk in model.stream([HumanMessage("I like")], **options)
    )


async def test_a_reply_that_is_stopped_knows_its_tokens(
    name: str, model: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was drawn is told although the end never came: quotas are charged by it."""
    monkeypatch.setattr("backends.local.inbox.PAUSE", 0.1)
    report, before = Report(), model.engine.sampled_tokens
    chain = build(settings, name, raw=True, options={"max_tokens": 900, "ignore_eos": True, **NOISE})
    text = ""
    async with asyncio.timeout(20):
        async for part in chain.astream({"input": "I like music and"}, {"callbacks": [report]}):
            text += part
            if (report.completion_tokens or 0) >= 30:
                break
    while model.engine.pending_count():
        await asyncio.sleep(0.01)
    drawn = model.engine.sampled_tokens - before
    assert 30 <= (report.completion_tokens or 0) <= drawn < 900
    assert report.pieces < (report.completion_tokens or 0)
