"""What a tab sends while a press is under way: other presses wait, ticks go without their widgets or not at all."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from page.session import presses
from page.session.presses import PressQueue


class Tab:
    """A tab's messages, and what the server behind the middleware gets of them."""

    def __init__(self) -> None:
        self.sent, self.got = asyncio.Queue[Message](), asyncio.Queue[Message]()

    async def server(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take every message as it comes, as Streamlit's does."""
        while True:
            await self.got.put(await receive())

    def press(self, widget: str, tick: bool = False) -> None:
        """Ask for a run of the script."""
        message = BackMsg()
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.trigger_value = widget, True
        message.rerun_script.is_auto_rerun, message.rerun_script.fragment_id = tick, "growing reply"
        self.sent.put_nowait({"type": "websocket.receive", "bytes": message.SerializeToString()})

    async def next(self) -> BackMsg:
        """The next message that the server gets."""
        received: bytes = (await asyncio.wait_for(self.got.get(), 300))["bytes"]
        message: BackMsg = BackMsg.FromString(received)
        return message

    async def arrives_nothing(self) -> bool:
        """Whether the server has all that it will get for now."""
        for _ in range(20):
            await asyncio.sleep(0)
        return self.got.empty() and self.sent.empty()


@asynccontextmanager
async def connected() -> AsyncIterator[Tab]:
    """A tab behind the middleware."""
    tab = Tab()
    served = asyncio.ensure_future(PressQueue(tab.server)({"type": "websocket"}, tab.sent.get, tab.got.put))
    yield tab
    served.cancel()
    with suppress(asyncio.CancelledError):
        await served


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Of tabs that are gone."""
    yield
    assert not presses._pending


def widgets(message: BackMsg) -> list[str]:
    return [state.id for state in message.rerun_script.widget_states.widgets]


def accept(message: BackMsg) -> None:
    """What the script does once the callbacks of this run are done."""
    presses._pending.pop(message.rerun_script.cached_message_hashes[-1])()


async def test_a_press_waits_until_the_one_before_is_accepted() -> None:
    async with connected() as tab:
        for widget in ("first", "second", "third"):
            tab.press(widget)
        first = await tab.next()
        assert widgets(first) == ["first"]
        assert not first.rerun_script.fragment_id
        assert tab.got.empty()
        accept(first)
        second = await tab.next()
        assert widgets(second) == ["second"]
        accept(second)
        assert widgets(await tab.next()) == ["third"]


async def test_a_tick_carries_no_widgets_and_is_dropped_beside_a_press() -> None:
    async with connected() as tab:
        tab.press("held", tick=True)
        tick = await tab.next()
        assert (widgets(tick), tick.rerun_script.fragment_id) == ([], "growing reply")
        tab.press("first")
        first = await tab.next()
        tab.press("held", tick=True)
        assert await tab.arrives_nothing()
        accept(first)
        await asyncio.sleep(0)
        tab.press("held", tick=True)
        assert widgets(await tab.next()) == []


async def test_a_script_that_says_nothing_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presses, "PATIENCE", 0.05)
    async with connected() as tab:
        tab.press("first")
        tab.press("second")
        assert [widgets(await tab.next()), widgets(await tab.next())] == [["first"], ["second"]]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "websocket.receive", "text": "hi"},
        {"type": "websocket.receive", "bytes": b"\xff\xff\xff"},
        {"type": "websocket.receive", "bytes": BackMsg(clear_cache=True).SerializeToString()},
        {"type": "websocket.disconnect"},
    ],
    ids=["text", "no message", "no run", "gone"],
)
async def test_everything_else_passes_as_it_is_beside_a_press(message: Message) -> None:
    async with connected() as tab:
        tab.press("first")
        await tab.next()
        tab.sent.put_nowait(message)
        assert await asyncio.wait_for(tab.got.get(), 300) is message


async def test_tabs_do_not_wait_for_each_other() -> None:
    async with connected() as one, connected() as other:
        one.press("first")
        await one.next()
        other.press("mine")
        assert widgets(await other.next()) == ["mine"]


async def test_what_is_no_tab_passes() -> None:
    seen: list[str] = []

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await PressQueue(server)({"type": "http"}, asyncio.Queue[Message]().get, asyncio.Queue[Message]().put)
    assert seen == ["http"]
