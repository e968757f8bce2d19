#!/usr/bin/env bash
# langchain-openai 1.7.3 on Python 3.11: a cancellation that meets a chunk is lost, and the reply goes on to its end.
#
# Guess: cancelling the task that reads `astream` ends it at the next await, whenever it comes; `stream_chunk_timeout`
#        only adds an error after two minutes of silence.
# Seen:  with its default each chunk is awaited through `asyncio.wait_for`, which on Python 3.11 gives the chunk back where
#        chunk and cancellation come in the same turn of the loop. Of 40 replies cancelled after 0 to 39 turns of the
#        loop some run to their last word and end well; with `stream_chunk_timeout=None` none does.
# So:    a press on Stop, or the end of a server, has no effect now and then. The timeout is off here, and what was asked
#        to stop and still brings words is cancelled again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3.11 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check langchain-openai==1.7.3 langchain-core==1.7.2 openai==3.52.0 2>/dev/null
cat >stop.py <<'PY'
import asyncio
import json
import logging
import sys
from importlib.metadata import version

from langchain_openai import ChatOpenAI

WORDS, TURNS = 12, 40
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the server hears of each client that is gone
written = asyncio.Event()  # the second word is on its way


def row(finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {} if finish else {"content": "word "}, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'x', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm', 'choices': [choice]})}\n\n".encode()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    writer.write(HEAD)
    for number in range(WORDS):
        await asyncio.sleep(0.02)
        if writer.is_closing():
            return
        writer.write(row())
        if number == 1:
            written.set()
    writer.write(row("stop") + b"data: [DONE]\n\n")
    writer.close()


async def lost(model: ChatOpenAI, turns: int) -> bool:
    """Whether a reply that is cancelled so many turns after its second word was sent goes on to its end."""

    async def read() -> int:
        return len([chunk async for chunk in model.astream("hi") if chunk.content])

    written.clear()
    task = asyncio.create_task(read())
    await written.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    return not task.cancelled() and task.result() == WORDS


async def main() -> int:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    given = {"base_url": url, "api_key": "none", "model": "m", "max_retries": 0}
    default, off = ChatOpenAI(**given), ChatOpenAI(**given, stream_chunk_timeout=None)
    print("langchain-openai", version("langchain-openai"), "Python", sys.version.split()[0])
    seen = {}
    for name, model in {"default": default, "stream_chunk_timeout=None": off}.items():
        seen[name] = sum([await lost(model, turns) for turns in range(TURNS)])
        print(f"{name}: {seen[name]} of {TURNS} replies ran to their end after their task was cancelled")
    return int(not seen["default"] or bool(seen["stream_chunk_timeout=None"]))


sys.exit(asyncio.run(main()))
PY
venv/bin/python -W ignore stop.py
