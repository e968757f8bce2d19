"""A tab's ticks: one unanswered at most, fewer where there are many tabs, and nothing else is ever held back."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from page.session import ticks
from page.session.ticks import TickLimiter


def tick(fragment: str = "reply") -> bytes:
    """As a browser's timer sends it."""
    asked = BackMsg()
    asked.rerun_script.fragment_id, asked.rerun_script.is_auto_rerun = fragment, True
    return bytes(asked.SerializeToString())


def press() -> bytes:
    """As a button sends it."""
    asked = BackMsg()
    asked.rerun_script.fragment_id = "reply"
    return bytes(asked.SerializeToString())


def finished() -> bytes:
    """As Streamlit ends a run."""
    told = ForwardMsg(hash="0" * 32, script_finished=ForwardMsg.ScriptFinishedStatus.FINISHED_SUCCESSFULLY)
    return bytes(told.SerializeToString())


async def passed(sent: Iterable[bytes | float], answer: bool = False) -> list[bytes]:
    """What reaches Streamlit of these messages and pauses; `answer`: each is answered at once."""
    found: list[bytes] = []
    coming = iter(sent)

    async def receive() -> Message:
        for each in coming:
            if isinstance(each, bytes):
                return {"type": "websocket.receive", "bytes": each}
            await asyncio.sleep(each)
        return {"type": "websocket.disconnect"}

    async def send(_: Message) -> None:
        pass

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            found.append(message["bytes"])
            if answer:
                await send({"type": "websocket.send", "bytes": finished()})

    await TickLimiter(app)({"type": "websocket"}, receive, send)
    return found


async def test_a_tick_waits_for_the_answer_to_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "TICK_COST", 0.0)
    assert await passed([tick()] * 50) == [tick()]
    assert await passed([tick()] * 50, answer=True) == [tick()] * 50
    assert await passed([tick("reply"), tick("news"), tick("reply")]) == [tick("reply"), tick("news")]


async def test_an_answer_that_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "ANSWER_TIMEOUT", 0.05)
    assert len(await passed([tick(), tick(), 0.1, tick()])) == 2


async def test_all_together_take_no_more_than_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "TICK_COST", 30.0)
    assert len(await passed([tick()] * 20, answer=True)) == 1


async def test_what_a_person_does_always_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "TICK_COST", 30.0)
    other = BackMsg(app_heartbeat=True).SerializeToString()
    assert await passed([tick(), press(), tick(), other, press(), b"no message"]) == [
        tick(),
        press(),
        other,
        press(),
        b"no message",
    ]


async def test_a_tab_that_closed_does_not_count() -> None:
    async def gone(_: Scope, receive: Receive, __: Send) -> None:
        await receive()

    async def receive() -> Message:
        return {"type": "websocket.receive", "bytes": tick()}

    async def send(_: Message) -> None:
        pass

    counted = TickLimiter(gone)
    for _ in range(5):
        await counted({"type": "websocket"}, receive, send)
    assert not counted._last_passed
