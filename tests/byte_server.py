"""A server of OpenAI's API that answers byte for byte as a test says; and the four ways to ask the backend over it."""

import asyncio
import json
import socketserver
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.messages import AIMessage

import backends
from chains.assistant import build
from chains.report import Report
from settings import Settings
from tests.loopback import KEY

Row = dict[str, Any] | str | bytes
DONE = "data: [DONE]\n\n"
WORDS = ["One", " two", " three", " four", " five"]
TEXT = "".join(WORDS)
STOP: dict[str, Any] = {"delta": {}, "finish_reason": "stop"}


class ByteServer:
    """What is sent to the first request for a reply, to the second, and to all others the last; and what came."""

    def __init__(self) -> None:
        self.answers: list[list[bytes]] = []
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.url = ""

    def answer(self, *answers: Iterable[bytes]) -> None:
        """Set what is sent from now on, and forget what was asked."""
        self.answers = [list(parts) for parts in answers]
        self.requests.clear()
        self.paths.clear()

    def next_answer(self, path: str, body: bytes) -> list[bytes]:
        """The bytes for a request, after a note of it."""
        if path.endswith("/models"):
            return reply({"object": "list", "data": [{"id": "m-1", "object": "model"}]})
        self.requests.append(json.loads(body))
        self.paths.append(path)
        return self.answers[min(len(self.requests), len(self.answers)) - 1]


def head(kind: str = "text/event-stream", status: int = 200, *headers: str) -> bytes:
    """The head of an answer that ends with its connection."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reply(body: Any, status: int = 200, kind: str = "application/json", *headers: str) -> list[bytes]:
    """A whole answer."""
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return [head(kind, status, f"Content-Length: {len(data)}", *headers) + data]


def stream(*rows: Row, done: bool = True, end: str = "\n\n") -> list[bytes]:
    """Server-sent events: an object is a row, a text stands as it is."""
    return [head(), *(row_bytes(row, end) for row in rows), *([f"data: [DONE]{end}".encode()] if done else [])]


def row_bytes(row: Row, end: str = "\n\n") -> bytes:
    """A row as it is sent."""
    if isinstance(row, bytes):
        return row
    return row.encode() if isinstance(row, str) else f"data: {json.dumps(row)}{end}".encode()


def chunk(choice: dict[str, Any] | str | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk as OpenAI sends it; a text is what it adds, and without a choice it has none."""
    if isinstance(choice, str):
        choice = {"delta": {"content": choice}}
    choices = [] if choice is None else [{"index": 0, "finish_reason": None, **choice}]
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": choices, **fields}


def words(**fields: Any) -> list[dict[str, Any]]:
    """The five words, a chunk each."""
    return [chunk(word, **fields) for word in WORDS]


def delta(**fields: Any) -> dict[str, Any]:
    """A chunk with this difference."""
    return chunk({"delta": fields})


def whole(**message: Any) -> dict[str, Any]:
    """A whole answer as OpenAI sends it where no stream is asked for."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1965, "completion_tokens": 5, "total_tokens": 1970}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice], "usage": usage}


def load() -> Any:
    """The backend over the server."""
    return backends.load("openai", Settings.read())


def streamed() -> AIMessage:
    """The reply as one message, joined from its chunks."""
    message: AIMessage = reduce(add, load().stream("hi"))
    return message


def streamed_async() -> AIMessage:
    """The same in an event loop."""

    async def read() -> AIMessage:
        chunks: AsyncIterator[Any] = load().astream("hi")
        message: AIMessage = reduce(add, [chunk async for chunk in chunks])
        return message

    return asyncio.run(read())


def invoked() -> AIMessage:
    """The reply to a request for all of it at once."""
    message: AIMessage = load().invoke("hi")
    return message


def invoked_async() -> AIMessage:
    """The same in an event loop."""
    message: AIMessage = asyncio.run(load().ainvoke("hi"))
    return message


def continued() -> AIMessage:
    """The text that goes on with another, from /v1/completions."""
    message: AIMessage = reduce(add, load().stream("hi", raw=True))
    return message


def continued_async() -> AIMessage:
    """The same in an event loop."""
    message: AIMessage = asyncio.run(load().ainvoke("hi", raw=True))
    return message


STREAMED = [streamed, streamed_async]
WHOLE = [invoked, invoked_async]
CONTINUED = [continued, continued_async]
EVERY = [*STREAMED, *WHOLE, *CONTINUED]
Ask = Callable[[], AIMessage]


def ask_chain(**options: Any) -> tuple[str, Report]:
    """The text of the reply through the whole chain, and the report beside it."""
    report = Report()

    async def read() -> str:
        chain = build(Settings.read(), "openai", options=options)
        parts = chain.astream({"history": [], "input": "hi"}, {"callbacks": [report]})
        return "".join([part async for part in parts])

    return asyncio.run(read()), report


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """One request, one answer."""
        line = self.rfile.readline().decode().split()
        headers = {}
        while header := self.rfile.readline().decode("latin-1").strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        if line:
            server: Any = self.server
            for part in server.script.next_answer(line[1], self.rfile.read(int(headers.get("content-length", 0)))):
                self.wfile.write(part)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    script: ByteServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no failure."""


@pytest.fixture
def byte_server(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> Iterator[ByteServer]:
    """The server; the `openai` backend points at it."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.script = ByteServer()
        server.script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        monkeypatch.setenv("OPENAI_BASE_URL", server.script.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server.script
        server.shutdown()
        thread.join()
