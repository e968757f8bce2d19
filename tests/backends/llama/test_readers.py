"""One who does not read, or is gone, holds up nobody else."""

import asyncio
import threading
import time
from typing import Any

import backends
from backends.local.inbox import Inbox
from settings import Settings
from tests.backends.llama.chats import PATIENCE, Ear, opened

OPTIONS: dict[str, Any] = {"raw": True, "temperature": 0, "max_tokens": 60, "ignore_eos": True}
PROMPT = "I like music and"


def test_one_who_takes_nothing_slows_nobody(settings: Settings) -> None:
    model = backends.load("llamacpp", settings)
    expected = model.invoke(PROMPT, **OPTIONS).text
    slow = model.stream(PROMPT, **OPTIONS)
    first = next(slow).text
    for _ in range(9):  # more than run together
        assert model.invoke(PROMPT, **OPTIONS).text
    assert first + "".join(chunk.text for chunk in slow) == expected


async def test_a_blocked_event_loop_slows_nobody(settings: Settings) -> None:
    model = backends.load("llamacpp", settings)
    stuck, go_on, found = threading.Event(), threading.Event(), list[str]()

    async def read() -> None:
        async for chunk in model.astream(PROMPT, **OPTIONS):
            found.append(chunk.text)
            stuck.set()
            go_on.wait(PATIENCE)

    thread = threading.Thread(target=lambda: asyncio.run(read()))
    thread.start()
    assert await asyncio.to_thread(stuck.wait, PATIENCE)
    replies = await asyncio.gather(*(model.ainvoke(PROMPT, **OPTIONS) for _ in range(9)))
    assert all(reply.usage_metadata["output_tokens"] == 60 for reply in replies)  # type: ignore[index]
    assert len(found) == 1
    go_on.set()
    await asyncio.to_thread(thread.join, PATIENCE)
    assert "".join(found) == model.invoke(PROMPT, **OPTIONS).text


def test_a_closed_event_loop_ends_only_its_own() -> None:
    with opened(4, 4096) as engine:

        async def ask() -> Ear:
            inbox = Inbox()
            ear = Ear(engine, PROMPT, max_tokens=900, ignore_eos=True, hear=inbox.put)
            ear.ask()
            assert await inbox.take()
            return ear

        other = Ear(engine, PROMPT, max_tokens=100, ignore_eos=True).ask()
        gone = asyncio.run(ask())
        assert other.end().finish == "length"
        assert other.request.tokens == 100
        while gone.request in engine._running:
            time.sleep(0.001)
        assert gone.request.cancelled.is_set()
        assert gone.request.tokens < 900
        assert engine.watched.samplers == engine.pending_count() == 0
