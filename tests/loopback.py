"""A server with OpenAI's API that behaves as told: for each request the next of `script`, then plain replies."""

import asyncio
import base64
import json
import time
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.asgi import listening

KEY = "sk-loopback"


class Loopback:
    """What was asked, what comes next, and when clients went away."""

    def __init__(self) -> None:
        self.script: deque[str] = deque()
        self.requests: list[dict[str, Any]] = []
        self.gone: list[float] = []
        self.sent = 0
        self.url = ""
        self.models = ["loopback-small"]
        self.reply = "It is a fine day ."
        self.ended: Any = "stop"  # what a streamed reply says of its end, and of the tokens it read
        self.read: Any = 7
        self.pause = 0.05  # seconds between the words of a slow reply
        self.word = "word{} "  # of a slow reply, with its number
        self.length = 200  # words of a slow reply that names no number
        self.size = 256  # numbers of an embedding
        self.window: int | None = None  # what vLLM says of a model
        self.owner: str | None = None  # by which servers tell what they are
        self.answer: Callable[[dict[str, Any]], str] | None = None  # gives the reply to a request instead of `reply`

    def app(self) -> Starlette:
        """The routes that clients use."""
        return Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/completions", self._completions, methods=["POST"]),
                Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            ]
        )

    async def _models(self, _: Request) -> Response:
        if not self.models:
            return HTMLResponse("<title>A web page</title>")
        window: dict[str, Any] = {} if self.window is None else {"max_model_len": self.window}
        window |= {} if self.owner is None else {"owned_by": self.owner, "max_model_len": self.window or 4096}
        return JSONResponse({"object": "list", "data": [{"id": m, "object": "model", **window} for m in self.models]})

    async def _completions(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        todo = self.script.popleft() if self.script else "reply"
        if todo == "500":
            return self._error(500, "The server had an error.")
        if todo == "slow":
            return StreamingResponse(self._slow(raw=True), media_type="text/event-stream")
        chunks = [{"text": word} for word in (" upon", " a", " time")]
        return StreamingResponse(self._sse(chunks, "text_completion"), media_type="text/event-stream")

    async def _embeddings(self, request: Request) -> Response:
        """Counts of three letters that stand together: texts are near by parts of words, too."""
        body = await request.json()
        self.requests.append(body)
        todo = self.script.popleft() if self.script else "reply"
        if request.headers.get("authorization") == "Bearer wrong":
            return self._error(401, "Incorrect API key provided: wrong.")
        if todo == "html":
            return HTMLResponse("<title>A web page</title>")
        if todo in {"404", "429", "500"}:
            return self._error(int(todo), f"It fails over {body['input']}.", {"retry-after-ms": "1"})
        texts = body["input"][1:] if todo == "short" else body["input"]
        rows = [trigrams(text, self.size) for text in texts]
        if todo == "infinite":
            rows[0][0] = np.inf
        coded = body.get("encoding_format") == "base64" and todo != "float"
        data = [
            {"object": "embedding", "index": at, "embedding": _base64(row) if coded else row.tolist()}
            for at, row in enumerate(rows)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return JSONResponse({"object": "list", "data": data, "model": body["model"], "usage": usage})

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        todo = self.script.popleft() if self.script else "reply"
        if request.headers.get("authorization") == "Bearer wrong":
            return self._error(401, "Incorrect API key provided.")
        if todo.startswith("429"):
            return self._error(429, "Rate limit reached.", {"retry-after": todo.partition(" ")[2] or "0"})
        if todo == "html":
            return HTMLResponse("<title>A web page</title>")
        if todo in {"500", "503"}:
            return self._error(int(todo), "The server had an error.")
        if todo == "404":
            return self._error(404, f"The model '{body['model']}' does not exist.")
        if todo.startswith("refuse "):
            return self._error(400, f"Unknown parameter: '{todo.removeprefix('refuse ')}'.")
        if todo == "overflow":
            return self._error(
                400, "This model's maximum context length is 100 tokens.", code="context_length_exceeded"
            )
        if todo == "hang":
            await asyncio.sleep(30)
        reply = self._said(todo, body)
        if not body.get("stream"):
            return JSONResponse(self._whole(todo, reply))
        return StreamingResponse(self._stream(todo, reply, request), media_type="text/event-stream")

    def _said(self, todo: str, body: dict[str, Any]) -> str:
        """The reply: "say …", or "call NAME JSON" a line each below what is said before; else what is set."""
        if todo.startswith("say ") or is_calling(todo):
            return todo.removeprefix("say ")
        return self.answer(body) if self.answer else self.reply

    def _error(
        self, status: int, message: str, headers: dict[str, str] | None = None, code: str | None = None
    ) -> Response:
        return JSONResponse({"error": {"message": message, "code": code, "type": "x"}}, status, headers=headers)

    def _whole(self, todo: str, reply: str) -> dict[str, Any]:
        text, calls = ("", []) if todo == "empty" else split_calls(reply)
        message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
        return {
            "id": "x", "object": "chat.completion", "created": 0, "model": self.models[0],
            "choices": [{"index": 0, "finish_reason": "tool_calls" if calls else self.ended, "message": message}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 6, "total_tokens": 13},
        }  # fmt: skip

    async def _stream(self, todo: str, reply: str, request: Request) -> AsyncIterator[str]:
        text, calls = split_calls(reply)
        words = [] if todo == "empty" else [w + " " for w in text.split(" ") if w]
        if todo.startswith("slow"):  # "slow 20" is a reply of twenty words
            async for line in self._slow(words=int(todo.partition(" ")[2] or self.length)):
                yield line
            return
        async for line in self._think(todo):
            yield line
        for number, word in enumerate(words):
            if todo == "cut" and number == 3:
                raise ConnectionResetError("cut in mid-stream")
            if todo == "close" and number == 3:
                return
            if todo == "close at once":
                return
            if todo == "malformed" and number == 0:
                yield "data: {this is no json\n\n"
            yield self._line({"delta": {"content": word}})
        for number, call in enumerate(calls):  # its arguments in two pieces, as servers send them
            function, half = call["function"], len(call["function"]["arguments"]) // 2
            first = {**call, "index": number, "function": {**function, "arguments": function["arguments"][:half]}}
            yield self._line({"delta": {"tool_calls": [first]}})
            rest = {"index": number, "function": {"arguments": function["arguments"][half:]}}
            yield self._line({"delta": {"tool_calls": [rest]}})
        yield self._line({"delta": {}, "finish_reason": "tool_calls" if calls else self.ended})
        thought = thinking_words(todo)
        written = len(words) + thought
        usage = {"prompt_tokens": self.read, "completion_tokens": written, "total_tokens": 7 + written}
        details = {"completion_tokens_details": {"reasoning_tokens": thought}} if thought else {}
        yield self._line(None, usage={**usage, **details})
        yield "data: [DONE]\n\n"

    async def _think(self, todo: str) -> AsyncIterator[str]:
        """The thinking before a reply: "think 20" is one of twenty words."""
        for number in range(thinking_words(todo)):
            yield self._line({"delta": {"reasoning_content": f"thought{number} "}})
            await asyncio.sleep(self.pause)

    async def _slow(self, raw: bool = False, words: int = 200) -> AsyncIterator[str]:
        """A token every `pause` seconds, until the client is gone."""
        try:
            for number in range(words):
                self.sent += 1
                word = self.word.format(number)
                yield self._line({"text": word} if raw else {"delta": {"content": word}})
                await asyncio.sleep(self.pause)
            yield self._line({"delta": {}, "finish_reason": "stop"})
        finally:
            self.gone.append(time.monotonic())

    async def _sse(self, chunks: list[dict[str, Any]], kind: str) -> AsyncIterator[str]:
        for chunk in chunks:
            yield self._line(chunk, kind=kind)
        yield self._line({"text": "", "finish_reason": "length"}, kind=kind)
        yield "data: [DONE]\n\n"

    def _line(
        self, choice: dict[str, Any] | None, usage: dict[str, Any] | None = None, kind: str = "chat.completion.chunk"
    ) -> str:
        choices = [] if choice is None else [{"index": 0, "finish_reason": None, **choice}]
        row = {"id": "x", "object": kind, "created": 0, "model": self.models[0], "choices": choices, "usage": usage}
        return f"data: {json.dumps(row)}\n\n"


def thinking_words(todo: str) -> int:
    """How many words a reply thinks before it says something."""
    kind, _, count = todo.partition(" ")
    return int(count) if kind == "think" else 0


def is_calling(reply: str) -> bool:
    """Whether a reply calls tools."""
    return any(line.startswith("call ") for line in reply.splitlines())


def split_calls(reply: str) -> tuple[str, list[dict[str, Any]]]:
    """What a reply says, and the calls in it as OpenAI has them."""
    if not is_calling(reply):
        return reply, []
    lines = reply.splitlines()
    calls = [line.removeprefix("call ").partition(" ") for line in lines if line.startswith("call ")]
    said = "\n".join(line for line in lines if not line.startswith("call "))
    return said, [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments or "{}"}}
        for number, (name, _, arguments) in enumerate(calls)
    ]


def trigrams(text: str, size: int) -> NDArray[np.float32]:
    """How often each three letters stand together in the words of a text, in `size` drawers."""
    row = np.zeros(size, np.float32)
    for word in text.lower().split():
        for at in range(len(word) - 2):
            row[zlib.crc32(word[at : at + 3].encode()) % size] += 1
    return row


def _base64(row: NDArray[np.float32]) -> str:
    return base64.b64encode(row.tobytes()).decode()


@contextmanager
def running(port: int) -> Iterator[Loopback]:
    """The server on a loopback port, in a thread."""
    made = Loopback()
    made.url = f"http://127.0.0.1:{port}/v1"
    with listening(made.app(), port):
        yield made
