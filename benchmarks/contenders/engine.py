"""The engine of one of our backends alone: what the chain around it costs is what it is faster by.

A request is made by the backend's own chat model before its clock starts: template and tokens are no part of it.
"""

import asyncio
import time
from typing import Any

import backends
from benchmarks.contenders import Contender, Message, Reply, Task, to_langchain
from benchmarks.contenders.chain import SAMPLING, llama_build, widen


class EventRecorder:
    """One reply's events as they come in the engine's thread: kept, and looked at when it is over."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self.first: float | None = None
        self.events: list[Any] = []

    def emit(self, event: Any) -> None:
        """Keep an event; called in the engine's thread."""
        if self.first is None and event.text:
            self.first = time.perf_counter()
        self.events.append(event)
        if event.finish is not None or event.error is not None:
            self._loop.call_soon_threadsafe(self.ended.set_result, None)


class EngineContender(Contender):
    """`submit` of an engine."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._chat: Any = backends.load(backend, backends.read_settings())

    async def ready(self, chats: int) -> None:
        """Load the backend anew where there are more chats than it has places by default."""
        if widen(self._backend, chats):
            self._chat = backends.load(self._backend, backends.read_settings())

    async def ask(self, messages: list[Message], tokens: int) -> Reply:
        """The reply; its clock begins when the request is submitted."""
        recorder = EventRecorder()
        options = {**SAMPLING, "max_tokens": tokens}
        request = self._chat._request(to_langchain(messages), None, recorder.emit, raw=False, options=options).request
        began = time.perf_counter()
        self._chat.engine.submit(request)
        await recorder.ended
        last = recorder.events[-1]
        if last.error is not None:
            raise last.error
        if recorder.first is None:
            raise ValueError("a reply without any text")
        return Reply("".join(event.text for event in recorder.events), recorder.first - began, last.tokens)

    def facts(self) -> dict[str, str]:
        """How llama.cpp is built, where that is what computes."""
        return llama_build() if self._backend == "llamacpp" else {}


def start(task: Task) -> EngineContender:
    """The backend that the contender's name begins with."""
    return EngineContender(task.contender.partition("-")[0])
