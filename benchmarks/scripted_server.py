"""A server with OpenAI's API that says as many words as it is asked for, as fast as it is asked to; in its own process.

`40 words at 20 a second` as the last message gives just that. It stands in for a model, so that what is measured is
what stands around one. Knows nothing of what is measured.
"""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.targets import free_port
from settings import ROOT

KEY = "sk-scripted"
MODEL = "scripted"
ORDER = re.compile(r"(\d+) words at (\d+) a second")


def prompt_for(word_count: int, rate: int) -> str:
    """The message that gets this reply."""
    return f"{word_count} words at {rate} a second"


def reply_words(word_count: int) -> list[str]:
    """The words of the reply to such a message."""
    return [f"word{number} " for number in range(word_count)]


@contextmanager
def start_scripted() -> Iterator[str]:
    """Its address, for OPENAI_BASE_URL. Raises ValueError where it does not start."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.scripted_server", str(port)], cwd=ROOT)
    try:
        while not _is_up(port):
            if process.poll() is not None:
                raise ValueError(f"the scripted server did not start: it ended with {process.returncode}")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _is_up(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        time.sleep(0.02)
        return False
    return True


def _serve(port: int) -> None:
    routes = [Route("/v1/models", _models), Route("/v1/chat/completions", _chat, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), port=port, log_level="critical")


async def _models(_: Request) -> Response:
    return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model"}]})


async def _chat(request: Request) -> Response:
    body = await request.json()
    match = ORDER.search(str(body["messages"][-1]["content"]))
    word_count, rate = map(int, match.groups()) if match else (5, 1000)
    return StreamingResponse(_lines(word_count, rate), media_type="text/event-stream")


async def _lines(word_count: int, rate: int) -> AsyncIterator[str]:
    began = time.monotonic()
    for number, word in enumerate(reply_words(word_count)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        yield _line({"delta": {"content": word}})
    yield _line({"delta": {}, "finish_reason": "stop"})
    yield "data: [DONE]\n\n"


def _line(choice: dict[str, Any]) -> str:
    row = {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "finish_reason": None, **choice}],
    }
    return f"data: {json.dumps(row)}\n\n"


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
