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

TICK_COST = 0.005  # seconds of a core for each tick: it takes 0.004 here, and the replies themselves want some
ANSWER_TIMEOUT = 3.0  # seconds after which an answer is no longer waited for, and who was silent no longer counted
MAX_FINISHED_BYTES = 200  # bytes; the message that a run has ended is one of the shortest


class TickLimiter:
    """Middleware: for each tab, and fragment of it, one unanswered tick at most, and not too many of all together."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._last_passed: dict[tuple[int, str], float] = {}  # when a tab's fragment was last let through
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
                fragment = _ticked_fragment(message)
                if fragment is None or self._admit(tab, fragment, waiting):
                    return message

        async def sending(message: Message) -> None:
            await send(message)
            if waiting and _ends_run(message):
                waiting.clear()

        try:
            await self.app(scope, receiving, sending)
        finally:
            for key in [key for key in self._last_passed if key[0] == tab]:
                del self._last_passed[key]

    def _admit(self, tab: int, fragment: str, waiting: dict[str, float]) -> bool:
        """Whether a tick goes on; from now on it is waited for."""
        now = time.monotonic()
        unanswered = now - waiting.get(fragment, -ANSWER_TIMEOUT) < ANSWER_TIMEOUT
        if unanswered or now - self._last_passed.get((tab, fragment), 0.0) < self._interval(now):
            return False
        waiting[fragment] = self._last_passed[tab, fragment] = now
        return True

    def _interval(self, now: float) -> float:
        """Seconds between two ticks of a fragment, by how many there are."""
        return TICK_COST * sum(now - last < ANSWER_TIMEOUT for last in self._last_passed.values())


def _ticked_fragment(message: Message) -> str | None:
    """The fragment that a browser's timer asks for; None for everything else."""
    if message["type"] != "websocket.receive" or not message.get("bytes"):
        return None
    try:
        request = BackMsg.FromString(message["bytes"])
    except DecodeError:  # Streamlit says what is wrong with it
        return None
    if request.WhichOneof("type") != "rerun_script" or not request.rerun_script.is_auto_rerun:
        return None
    return str(request.rerun_script.fragment_id)


def _ends_run(message: Message) -> bool:
    """Whether this tells a browser that a run has ended."""
    content = message.get("bytes") or b""
    return (
        0 < len(content) < MAX_FINISHED_BYTES and ForwardMsg.FromString(content).WhichOneof("type") == "script_finished"
    )
