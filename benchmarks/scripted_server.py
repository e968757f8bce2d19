"""A server with OpenAI's API that says as many words as it is asked for, as fast as it is asked to; in its own process.

`40 words at 20 a second` as the last message gives just that. It stands in for a model, so that what is measured is
what stands around one. Who asks for usage is told the tokens of the prompt, and how many of them an earlier prompt with
its reply began with: what a server with a prefix cache has computed already. Knows nothing of what is measured.
"""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.targets import free_port
from benchmarks.texts import token_ids
from settings import ROOT

KEY = "sk-scripted"
MODEL = "scripted"
_before: list[int] = []  # tokens of the last prompt, with its reply
ORDER = re.compile(r"(\d+) (words|times) at (\d+) a second")


def prompt_for(word_count: int, rate: int, *, timed: bool = False) -> str:
    """The message that gets this reply; each word is the moment when it was said where it is `timed`."""
    return f"{word_count} {'times' if timed else 'words'} at {rate} a second"


def time_word() -> str:
    """This moment as a word, in milliseconds of the clock that all processes of a machine share."""
    return f"at{time.monotonic_ns() // 1_000_000} "


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
    word_count, rate = (int(match[1]), int(match[3])) if match else (5, 1000)
    is_timed = match is not None and match[2] == "times"
    usage = None
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = _usage(body["messages"], word_count)
    return StreamingResponse(_lines(word_count, rate, usage, is_timed), media_type="text/event-stream")


def _usage(messages: Sequence[dict[str, Any]], word_count: int) -> dict[str, Any]:
    """The tokens of a prompt, with those known from the one before it with its reply; this one is the next's."""
    prompt, reply = _rendered(messages), "".join(reply_words(word_count))
    cached = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(_before, prompt, strict=False)))
    _before[:] = _rendered([*messages, {"role": "assistant", "content": reply}])
    details = {"cached_tokens": cached}
    tokens = {"prompt_tokens": len(prompt), "completion_tokens": word_count}
    return {**tokens, "total_tokens": len(prompt) + word_count, "prompt_tokens_details": details}


def _rendered(messages: Sequence[dict[str, Any]]) -> list[int]:
    return token_ids("".join(f"\n{each['role']}: {str(each['content']).strip()}" for each in messages))


async def _lines(word_count: int, rate: int, usage: dict[str, Any] | None, is_timed: bool) -> AsyncIterator[str]:
    began = time.monotonic()
    for number, word in enumerate(reply_words(word_count)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        yield _line({"delta": {"content": time_word() if is_timed else word}})
    yield _line({"delta": {}, "finish_reason": "stop"})
    if usage is not None:
        yield _line(None, usage=usage)
    yield "data: [DONE]\n\n"


def _line(choice: dict[str, Any] | None, **other: Any) -> str:
    row = {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": MODEL,
        "choices": [] if choice is None else [{"index": 0, "finish_reason": None, **choice}],
        **other,
    }
    return f"data: {json.dumps(row)}\n\n"


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
