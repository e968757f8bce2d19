"""The engine of one of our backends alone: what the chain around it costs is what it is faster by.

A request is made by the backend's own chat model before its clock starts: template and tokens are no part of it.
"""

import asyncio
import time
from typing import Any

import backends
from benchmarks.contenders import Contender, Message, Reply, Task, langchain
from benchmarks.contenders.chain import SAMPLING, llama_build, widened


class Heard:
    """One reply's events as they come in the engine's thread: kept, and looked at when it is over."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self.first: float | None = None
        self.events: list[Any] = []

    def emit(self, event: Any) -> None:
        """From any thread."""
        if self.first is None and event.text:
            self.first = time.perf_counter()
        self.events.append(event)
        if event.finish is not None or event.error is not None:
            self._loop.call_soon_threadsafe(self.over.set_result, None)


class Alone(Contender):
    """`submit` of an engine."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._chat: Any = backends.load(backend, backends.read())

    async def ready(self, chats: int) -> None:
        """As many places as chats, where these are more than it has by default."""
        if widened(self._backend, chats):
            self._chat = backends.load(self._backend, backends.read())

    async def ask(self, messages: list[Message], tokens: int) -> Reply:
        """One reply."""
        heard = Heard()
        request = self._chat._request(langchain(messages), None, heard.emit, {**SAMPLING, "max_tokens": tokens})
        began = time.perf_counter()
        self._chat.engine.submit(request)
        await heard.over
        last = heard.events[-1]
        if last.error is not None:
            raise last.error
        if heard.first is None:
            raise ValueError("a reply without any text")
        return Reply("".join(event.text for event in heard.events), heard.first - began, last.tokens)

    def facts(self) -> dict[str, str]:
        """How llama.cpp is built, where that is what computes."""
        return llama_build() if self._backend == "llamacpp" else {}


def opened(task: Task) -> Alone:
    """The backend that the contender's name begins with."""
    return Alone(task.contender.partition("-")[0])
