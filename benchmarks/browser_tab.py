"""A browser's tab without a browser: it loads the page, keeps a cookie of its own, and speaks Streamlit's protocol.

It sends what the page's script in a browser sends: a first run, the states of the widgets that are on the screen with
every message, and for each fragment that wants to be looked at again a request each interval, answered or not, until a
whole run or the server ends it. A reply that its page follows by the event stream it follows so, too. Of what comes it
keeps texts and times. Knows nothing of what is measured.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from html import unescape
from types import TracebackType
from typing import Self

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks.event_reader import Event, EventReader, patched

Place = tuple[int, ...]  # of an element: in which child of which child of the page it stands
TAG = re.compile(r"<[^>]*>")
SAID = re.compile(r"\bat(\d+)\b")  # the moment when a word was said
LOADING = 0.5  # seconds: the interval of the page's look whether the backend has been loaded


class Tab:
    """One tab of one browser. `answers`: interval and delay in seconds of each tick that was answered.

    `delays`: seconds between the moment when a timed word was said and when this tab had it.
    """

    def __init__(self, address: str) -> None:
        self.address, self.query, self.answers = address, "", list[tuple[float, float]]()
        self._cookies, self._hash, self._ready = "", "", False
        self._widgets, self._input = dict[str, WidgetState](), ""
        self._timers = dict[str, tuple[float, asyncio.Task[None]]]()
        self._asked, self._run, self._fragments = dict[str, float](), "", list[str]()
        self._texts, self._hidden = dict[Place, tuple[str, str]](), set[Place]()
        self._news, self._socket, self._reader = asyncio.Event(), None, None
        self.delays, self._last_said = list[float](), 0
        self._events, self._stream = EventReader(address, self._hear), dict[str, str]()
        self._growing, self._blocks = dict[str, Place](), dict[str, list[str]]()
        self._drawn = dict[str, str]()  # versions of what is drawn, by topic
        self._rerun: asyncio.Task[None] | None = None

    _socket: ClientConnection | None
    _reader: asyncio.Task[None] | None

    async def __aenter__(self) -> Self:
        """Load the page and ask for the first run. Raises httpx.HTTPError, OSError."""
        if not self._cookies:
            async with httpx.AsyncClient(verify=False) as client:
                loaded = await client.get(self.address, headers={"Accept": "text/html,*/*"})
            self._cookies = "; ".join(f"{each.name}={each.value}" for each in loaded.cookies.jar)
        stream = f"{self.address.replace('http', 'ws', 1)}/_stcore/stream"
        self._socket = await connect(
            stream,
            additional_headers={"Cookie": self._cookies},
            compression=None,
            max_size=None,
            subprotocols=[Subprotocol("streamlit")],
        )
        self._reader = asyncio.create_task(self._read(self._socket))
        await self._send()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._stop()
        self._events.close()
        if self._socket is not None and self._reader is not None:
            await self._socket.close()
            await self._reader

    def beside(self, other: "Tab") -> Self:
        """Make this another tab of the same browser, at the same conversation."""
        self._cookies, self.query = other._cookies, other.query
        return self

    @property
    def following(self) -> bool:
        """Whether it follows a reply by the event stream."""
        return bool(self._growing)

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that it sends, by name."""
        return dict(each.split("=", 1) for each in self._cookies.split("; ") if each)

    @property
    def texts(self) -> list[str]:
        """The texts on the page, Markdown or plain, from top to bottom."""
        growing = {place: plain(self._blocks.get(topic, [])) for topic, place in self._growing.items()}
        return [
            text for _, text in sorted(({place: text for place, (_, text) in self._texts.items()} | growing).items())
        ]

    @property
    def tick(self) -> float | None:
        """Seconds between two looks of the most impatient fragment; None: the page rests."""
        return min((interval for interval, _ in self._timers.values()), default=None)

    @property
    def loaded(self) -> bool:
        """Whether a whole run has ended and its backend is there, so that a message can be written."""
        return self._ready and bool(self._input) and self.tick != LOADING

    async def until(self, reached: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Wait for it. Raises ValueError where it does not come, or the server closes the connection."""
        assert self._reader is not None
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    if self._reader.done():
                        raise ValueError(f"the page closed a tab's connection before {what}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise ValueError(f"a tab waited {seconds:g} s for {what}") from None

    async def say(self, text: str) -> None:
        """Send a message from the chat input."""
        written = WidgetState(id=self._input)
        written.chat_input_value.data = text
        self._ready = False
        await self._send(widget=written)

    async def _send(self, fragment: str = "", widget: WidgetState | None = None) -> None:
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.page_script_hash, rerun.fragment_id = self.query, self._hash, fragment
        rerun.is_auto_rerun = bool(fragment)
        rerun.widget_states.widgets.extend(self._widgets.values())
        if widget is not None:
            rerun.widget_states.widgets.append(widget)
        about = rerun.context_info
        about.timezone, about.locale, about.url, about.color_scheme = "UTC", "en-US", self.address, "light"
        assert self._socket is not None
        with suppress(ConnectionClosed):  # whoever waits for an answer is told so
            await self._socket.send(message.SerializeToString())

    async def _ticking(self, fragment: str, interval: float) -> None:
        """Ask at each interval as setInterval does: answered or not, and what was missed is not made up for."""
        clock = asyncio.get_running_loop().time
        due = clock() + interval
        while True:
            await asyncio.sleep(due - clock())
            self._asked.setdefault(fragment, clock())
            due = max(due + interval, clock())
            await self._send(fragment)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                self._take(ForwardMsg.FromString(await socket.recv(decode=False)))
        except ConnectionClosed:
            self._stop()
            self._news.set()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "delta":
            self._draw(message)
        elif kind == "new_session":
            self._run, self._fragments = message.metadata.run.script_run_id, list(message.metadata.run.fragment_ids)
            self._hash = message.new_session.page_script_hash
            if not self._fragments:
                self._stop()
        elif kind == "auto_rerun":
            self._start(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self._stop(fragment)
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "script_finished":
            self._finished(message.script_finished)

    def _start(self, fragment: str, interval: float) -> None:
        if fragment not in self._timers:
            self._timers[fragment] = interval, asyncio.create_task(self._ticking(fragment, interval))

    def _stop(self, fragment: str | None = None) -> None:
        for each in list(self._timers) if fragment is None else [fragment]:
            if each in self._timers:
                self._timers.pop(each)[1].cancel()
            self._asked.pop(each, None)

    def _finished(self, status: int) -> None:
        if status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            now = asyncio.get_running_loop().time()
            for fragment in self._fragments:
                if fragment in self._timers and fragment in self._asked:
                    self.answers.append((self._timers[fragment][0], now - self._asked.pop(fragment)))
        elif status == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._texts = {place: text for place, text in self._texts.items() if text[0] == self._run}
            self._ready = True
            topics = [*self._growing, *self._drawn]
            self._events.want(topics, self._stream, self._cookies)
        self._news.set()

    def _draw(self, message: ForwardMsg) -> None:
        path, delta = tuple(message.metadata.delta_path), message.delta
        if delta.WhichOneof("type") == "add_block":
            self._hidden.discard(path)
            if delta.add_block.HasField("popover"):
                self._hidden.add(path)
            return
        self._texts.pop(path, None)
        kind = delta.new_element.WhichOneof("type")
        if kind == "markdown":
            self._show(path, delta.new_element.markdown.body)
        elif kind == "text":
            self._texts[path] = self._run, delta.new_element.text.body
        elif kind == "html" and delta.new_element.html.body.startswith('<div class="reply">'):
            self._growing = {topic: where for topic, where in self._growing.items() if where != path}
            self._show(path, plain([delta.new_element.html.body]))
        elif kind == "bidi_component":
            component = delta.new_element.bidi_component
            self._follow(path, component.component_name, json.loads(component.json or "{}"))
        elif not any(path[: len(hidden)] == hidden for hidden in self._hidden):
            self._mount(delta.new_element)

    def _show(self, place: Place, text: str) -> None:
        """Keep the text, and how late its new words are."""
        self._texts[place] = self._run, text
        self._time(text)

    def _time(self, text: str, counts: bool = True) -> None:
        """Keep how late the words are that are new in a text, where that `counts`."""
        now = time.monotonic()
        start = max(0, text.find(f"at{self._last_said}")) if self._last_said else 0
        for said in SAID.finditer(text, start):
            if int(said[1]) > self._last_said:
                self._last_said = int(said[1])
                self.delays += [now - self._last_said / 1000] if counts else []

    def _follow(self, place: Place, name: str, data: Event) -> None:
        """Note what a component of the page shows, or wants to hear of."""
        if "ticket" in data:
            self._stream = data
        if name == "news":
            self._drawn = dict(data["drawn"])
        elif name == "reply" and "topic" in data:
            self._growing = {data["topic"]: place}
        elif name == "reply":
            self._growing = {topic: where for topic, where in self._growing.items() if where != place}
            self._show(place, plain(data["blocks"]))

    def _hear(self, event: Event) -> None:
        """Take an event of the stream; where a browser runs the script once for it, so does this tab."""
        topic = event["topic"]
        if topic in self._growing and "add" in event:
            self._blocks[topic] = patched(self._blocks.get(topic, []), event)
            self._time("".join(event["add"]), counts=not event["whole"])  # what was said before it came is not late
        is_other = topic in self._drawn and event["version"] != self._drawn[topic]
        if is_other:
            self._drawn[topic] = event["version"]
        if is_other or (event.get("ended") and self._growing.pop(topic, None)):
            self._rerun = asyncio.get_running_loop().create_task(self._send())
        self._news.set()

    def _mount(self, element: Element) -> None:
        """A browser has a state for a widget as soon as it shows it: its default."""
        kind = element.WhichOneof("type")
        if kind == "chat_input":
            self._input = "" if element.chat_input.disabled else element.chat_input.id
        elif kind == "text_input" and element.text_input.id not in self._widgets:
            self._widgets[element.text_input.id] = WidgetState(id=element.text_input.id, string_value="")
        elif kind == "file_uploader" and element.file_uploader.id not in self._widgets:
            state = self._widgets[element.file_uploader.id] = WidgetState(id=element.file_uploader.id)
            state.file_uploader_state_value.SetInParent()
        elif kind == "selectbox" and element.selectbox.id not in self._widgets:
            box = element.selectbox
            state = self._widgets[box.id] = WidgetState(id=box.id)
            if box.HasField("default"):
                state.string_value = box.options[box.default]


def plain(blocks: list[str]) -> str:
    """The words of a reply's blocks of HTML."""
    return unescape(TAG.sub("", "".join(blocks)))
