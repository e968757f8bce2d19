"""A page's ticks, of which no more are let through than this process can answer. Knows Streamlit's messages, no page.

A browser asks for each fragment with `run_every` again and again, answered or not, and the start of a run takes what
the run before it had to say out of Streamlit's queue: where ticks come quicker than answers leave, none ever leaves.
So a tick whose predecessor is unanswered goes no further, nor one that comes sooner than a core's share allows. It
is missed by nobody: the next one asks the same, and what a person does comes in messages of its own.
"""

import time

from google.protobuf.message import DecodeError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

EACH = 0.005  # seconds of a core for each tick: it takes 0.004 here, and the replies themselves want some
LOST = 3.0  # seconds after which an answer is no longer waited for, and who was silent no longer counted
SHORT = 200  # bytes; the message that a run has ended is one of the shortest


class Ticks:
    """Middleware: for each tab, and fragment of it, one unanswered tick at most, and not too many of all together."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._last: dict[tuple[int, str], float] = {}  # when a tab's fragment was last let through
        self._tabs = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        self._tabs += 1
        tab, waiting = self._tabs, dict[str, float]()

        async def receiving() -> Message:
            while True:
                message = await receive()
                fragment = _tick(message)
                if fragment is None or self._passes(tab, fragment, waiting):
                    return message

        async def sending(message: Message) -> None:
            await send(message)
            if waiting and _finished(message):
                waiting.clear()

        try:
            await self.app(scope, receiving, sending)
        finally:
            for key in [key for key in self._last if key[0] == tab]:
                del self._last[key]

    def _passes(self, tab: int, fragment: str, waiting: dict[str, float]) -> bool:
        """Whether a tick goes on; from now on it is waited for."""
        now = time.monotonic()
        if now - waiting.get(fragment, -LOST) < LOST or now - self._last.get((tab, fragment), 0.0) < self._share(now):
            return False
        waiting[fragment] = self._last[tab, fragment] = now
        return True

    def _share(self, now: float) -> float:
        """Seconds between two ticks of a fragment, by how many there are."""
        return EACH * sum(now - last < LOST for last in self._last.values())


def _tick(message: Message) -> str | None:
    """The fragment that a browser's timer asks for; None for everything else."""
    if message["type"] != "websocket.receive" or not message.get("bytes"):
        return None
    try:
        asked = BackMsg.FromString(message["bytes"])
    except DecodeError:  # Streamlit says what is wrong with it
        return None
    if asked.WhichOneof("type") != "rerun_script" or not asked.rerun_script.is_auto_rerun:
        return None
    return str(asked.rerun_script.fragment_id)


def _finished(message: Message) -> bool:
    """Whether this tells a browser that a run has ended."""
    told = message.get("bytes") or b""
    return 0 < len(told) < SHORT and ForwardMsg.FromString(told).WhichOneof("type") == "script_finished"
