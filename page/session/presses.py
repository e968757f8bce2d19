"""A tab's presses, handed to its script one after the other. Knows Streamlit's messages and its script, no page.

Streamlit loses a press whose callbacks have not run when the next message of its tab comes: the run that it would have
begun is replaced, or its callback ends at the next look at the session's state. So a press waits here until the script
says that the callbacks of the one before have run. A timer's tick carries the widgets along, and with them what was
pressed in that moment, which would then come twice: a tick is handed on without them, and not at all while a press is
under way; the next tick asks the same.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count

from google.protobuf.message import DecodeError
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.scriptrunner import get_script_run_ctx

PATIENCE = 10.0  # seconds for which a script is waited for that says nothing, because a callback failed
MARK = "press-"  # stands among the hashes of the messages that the browser has, which the script can read

_numbers = count()
_pending: dict[str, Callable[[], object]] = {}


def accept() -> None:
    """Let the next press come. Called by the script once its callbacks have run, before anything can interrupt it."""
    context = get_script_run_ctx()
    for mark in context.cached_message_hashes if context else ():
        if release := _pending.pop(mark, None):
            release()


class PressQueue:
    """Middleware: each tab's presses one at a time, and ticks between them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        line = _Line()

        async def receiving() -> Message:
            while True:
                message = await receive()
                press = _rerun(message)
                if press is None:
                    return message
                if await line.passes(press.rerun_script):
                    return {**message, "bytes": press.SerializeToString()}

        try:
            await self.app(scope, receiving, send)
        finally:
            _pending.pop(line.mark, None)


class _Line:
    """The presses of one tab; `mark` names the one under way."""

    def __init__(self) -> None:
        self.mark = ""
        self._accepted = asyncio.Event()
        self._accepted.set()

    async def passes(self, request: ClientState) -> bool:
        """Whether a request is handed on; a press is, after the one before it."""
        if request.is_auto_rerun:
            request.ClearField("widget_states")
            return self._accepted.is_set()
        try:
            await asyncio.wait_for(self._accepted.wait(), PATIENCE)
        except TimeoutError:
            _pending.pop(self.mark, None)
        self._accepted.clear()
        self.mark = f"{MARK}{next(_numbers)}"
        _pending[self.mark] = partial(asyncio.get_running_loop().call_soon_threadsafe, self._accepted.set)
        request.cached_message_hashes.append(self.mark)
        request.ClearField("fragment_id")  # with it a press would reach nobody once its fragment is gone
        return True


def _rerun(message: Message) -> BackMsg | None:
    """What asks for a run of the script; None for everything else."""
    if message["type"] != "websocket.receive" or not message.get("bytes"):
        return None
    try:
        press = BackMsg.FromString(message["bytes"])
    except DecodeError:  # Streamlit says what is wrong with it
        return None
    return press if press.WhichOneof("type") == "rerun_script" else None
