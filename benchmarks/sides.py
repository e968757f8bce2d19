"""The two sides of the API's benchmark: the chain and the API in front of it, each in a process of its own.

Both are asked the same by seed and number, so that the same words come out. The client of the API keeps bytes and times
while it measures, and reads them afterwards. Knows loads and answers; nothing of rounds and tables.
"""

import asyncio
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import h11
import psutil
from langchain_core.exceptions import ModelError
from langchain_core.messages import HumanMessage

import backends
from chains.assistant import build_verbatim
from settings import ROOT, Settings, SettingsError

KEY = "sk-benchmark"
START = 180.0  # seconds for a side to come up
Pieces = list[tuple[float, bytes]]  # what was read, and seconds after the request


@dataclass(frozen=True)
class Load:
    """So many requests, `streams` of them at once, each for a reply of exactly `tokens`."""

    streamed: bool
    streams: int
    requests: int
    tokens: int

    def options(self, number: int) -> dict[str, Any]:
        """How the reply to one request is drawn."""
        return {"max_tokens": self.tokens, "ignore_eos": True, "seed": number}


@dataclass(frozen=True)
class Answer:
    """`first`: seconds to the first text; None where it came whole."""

    text: str
    first: float | None


@dataclass(frozen=True)
class Round:
    """Seconds by the clock, and of the processor for the side and for its client."""

    answers: list[Answer]
    seconds: float
    processor: float
    client: float = 0.0


class Side(Protocol):
    """Who answers a load."""

    def measure(self, load: Load) -> Round:
        """One round. Raises ValueError for a reply that is none."""


def prompt(number: int) -> str:
    """Another one for each, so that no computed beginning serves twice."""
    return f"Tell me {number} things about music."


async def crowd(load: Load, ask: Callable[[int], Awaitable[Any]]) -> tuple[list[Any], float]:
    """All answers in order, and the seconds they took."""
    answers, numbers = dict[int, Any](), iter(range(load.requests))

    async def one() -> None:
        for number in numbers:
            answers[number] = await ask(number)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(load.streams)))
    return [answers[number] for number in range(load.requests)], time.perf_counter() - began


class Chain:
    """`build_verbatim`, as /v1 has it, without a callback, made before the clock starts."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def measure(self, load: Load) -> Round:
        """One round."""
        self._pipe.send(load)
        found = self._pipe.recv()
        if isinstance(found, str):
            raise ValueError(found)
        assert isinstance(found, Round)
        return found


@contextmanager
def chain(backend: str) -> Iterator[Chain]:
    """The chain in a process of its own."""
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=_answering, args=(there, backend), daemon=True)
    process.start()
    there.close()
    try:
        yield Chain(here)
        here.send(None)
    finally:
        process.join(5)
        process.kill()
        here.close()


def _answering(pipe: Connection, backend: str) -> None:
    with asyncio.Runner() as runner:
        while (load := pipe.recv()) is not None:
            try:
                pipe.send(runner.run(_chained(load, backend, backends.read())))
            except (ModelError, SettingsError) as error:
                pipe.send(str(error))


async def _chained(load: Load, backend: str, settings: Settings) -> Round:
    made = [build_verbatim(settings, backend, load.options(number)) for number in range(load.requests)]

    async def ask(number: int) -> Answer:
        began, first, text = time.perf_counter(), None, ""
        inputs = {"messages": [HumanMessage(prompt(number))]}
        if not load.streamed:
            return Answer(await made[number].ainvoke(inputs), None)
        async for part in made[number].astream(inputs):
            if first is None and part:
                first = time.perf_counter() - began
            text += part
        return Answer(text, first)

    used = time.process_time()
    answers, seconds = await crowd(load, ask)
    return Round(answers, seconds, time.process_time() - used)


class Server:
    """The API's server, asked over the loopback network by the barest client."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self._port, self._process = port, process

    @property
    def process(self) -> psutil.Process:
        """Which answers."""
        return self._process

    def measure(self, load: Load) -> Round:
        """One round."""
        sent = [self._request(load, number) for number in range(load.requests)]
        server, client = self._used(), time.process_time()
        found, seconds = asyncio.run(crowd(load, lambda number: exchange(self._port, sent[number])))
        server, client = self._used() - server, time.process_time() - client
        return Round([read(load, pieces) for pieces in found], seconds, server, client)

    def _used(self) -> float:
        spent = self._process.cpu_times()
        return float(spent.user + spent.system)

    def _request(self, load: Load, number: int) -> bytes:
        said = {"messages": [{"role": "user", "content": prompt(number)}], **load.options(number)}
        if load.streamed:
            said |= {"stream": True, "stream_options": {"include_usage": True}}
        body = json.dumps(said).encode()
        head = ["POST /v1/chat/completions HTTP/1.1", f"Host: 127.0.0.1:{self._port}", f"Authorization: Bearer {KEY}",
                "Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close"]  # fmt: skip
        return "\r\n".join([*head, "", ""]).encode() + body


async def exchange(port: int, request: bytes) -> Pieces:
    """The bytes that come back, each with the seconds since the request, until the server ends the connection."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    pieces: Pieces = []
    while data := await reader.read(65536):
        pieces.append((time.perf_counter() - began, data))
    writer.close()
    return pieces


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(backend: str, streams: int) -> Iterator[Server]:
    """The API, started as its users do, with a database and a key of its own. Raises ValueError where it ends."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        own = {"LLM_BACKEND": backend, "API_KEYS": KEY, "MAX_QUEUE": str(max(64, streams)),
               "DATABASE_URL": f"sqlite:///{Path(folder) / 'api.db'}"}  # fmt: skip
        with started(["uvicorn", "api:app", "--app-dir", str(ROOT), "--port", str(port)], port, own) as found:
            yield found


@contextmanager
def started(module: Sequence[str], port: int, own: Mapping[str, str]) -> Iterator[Server]:
    """`python -m module` with these variables, once it answers at the port. Raises ValueError where it ends."""
    with tempfile.TemporaryFile() as told:
        command = [sys.executable, "-m", *module]
        with subprocess.Popen(command, env={**os.environ, **own}, stdout=told, stderr=told, cwd=ROOT) as process:
            try:
                if not _up(port, process):
                    told.seek(0)
                    raise ValueError(f"the API did not start: {_reason(told.read().decode(errors='replace'))}")
                yield Server(port, psutil.Process(process.pid))
            finally:
                process.terminate()


def _up(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait for it; whether it answers. That it is not ready is told by its answers."""
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _reason(log: str) -> str:
    """The line of a log that says what went wrong."""
    said = log.splitlines() or ["it says nothing"]
    return next((line for line in said if line.startswith("ERROR")), said[-1]).removeprefix("ERROR:").strip()


def read(load: Load, pieces: Pieces) -> Answer:
    """What the bytes say. Raises ValueError where that is a failure, or not as many tokens as were asked for."""
    status, body, arrived = unpacked(pieces)
    if status != 200:
        raise ValueError(f"the API answered {status}: {json.loads(body)['error']['message']}")
    said = [json.loads(body)] if not load.streamed else [
        json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]  # fmt: skip
    if "error" in said[-1]:
        raise ValueError(f"the API broke off: {said[-1]['error']['message']}")
    came = said[-1]["usage"]["completion_tokens"]
    if came != load.tokens:
        raise ValueError(f"a reply has {came} tokens instead of {load.tokens}; name a backend that knows ignore_eos")
    if not load.streamed:
        return Answer(said[0]["choices"][0]["message"]["content"], None)
    parts = [row["choices"][0]["delta"].get("content") or "" for row in said if row["choices"]]
    first = json.dumps(next(filter(None, parts))).encode()
    at = body.index(b'"content":' + first)
    return Answer("".join(parts), next(seconds for seconds, size in arrived if size > at))


def unpacked(pieces: Pieces) -> tuple[int, bytes, list[tuple[float, int]]]:
    """Status, body, and how much of the body was there after how many seconds."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    status, body, arrived = 0, bytearray(), []
    for seconds, data in pieces:
        connection.receive_data(data)
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
        arrived.append((seconds, len(body)))
    return status, bytes(body), arrived
