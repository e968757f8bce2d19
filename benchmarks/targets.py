"""What the benchmark of the API asks: the chain and the API in front of it, each in a process of its own.

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


class Target(Protocol):
    """Something that answers a load of requests."""

    def measure(self, load: Load) -> Round:
        """One round. Raises ValueError for a reply that is none."""


def prompt(number: int) -> str:
    """Another one for each, so that no computed beginning serves twice."""
    return f"Tell me {number} things about music."


async def run_concurrently(load: Load, ask: Callable[[int], Awaitable[Any]]) -> tuple[list[Any], float]:
    """All answers in order, and the seconds they took."""
    answers, numbers = dict[int, Any](), iter(range(load.requests))

    async def run_one() -> None:
        for number in numbers:
            answers[number] = await ask(number)

    began = time.perf_counter()
    await asyncio.gather(*(run_one() for _ in range(load.streams)))
    return [answers[number] for number in range(load.requests)], time.perf_counter() - began


class ChainTarget:
    """`build_verbatim`, as /v1 has it, without a callback, made before the clock starts."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def measure(self, load: Load) -> Round:
        """One round. Raises ValueError for a reply that is none."""
        self._pipe.send(load)
        result = self._pipe.recv()
        if isinstance(result, str):
            raise ValueError(result)
        assert isinstance(result, Round)
        return result


@contextmanager
def start_chain(backend: str) -> Iterator[ChainTarget]:
    """The chain in a process of its own."""
    spawning = multiprocessing.get_context("spawn")
    parent_end, child_end = spawning.Pipe()
    process = spawning.Process(target=_serve_loads, args=(child_end, backend), daemon=True)
    process.start()
    child_end.close()
    try:
        yield ChainTarget(parent_end)
        parent_end.send(None)
    finally:
        process.join(5)
        process.kill()
        parent_end.close()


def _serve_loads(pipe: Connection, backend: str) -> None:
    with asyncio.Runner() as runner:
        while (load := pipe.recv()) is not None:
            try:
                pipe.send(runner.run(_run_load(load, backend, backends.read_settings())))
            except (ModelError, SettingsError) as error:
                pipe.send(str(error))


async def _run_load(load: Load, backend: str, settings: Settings) -> Round:
    chains = [build_verbatim(settings, backend, load.options(number)) for number in range(load.requests)]

    async def ask(number: int) -> Answer:
        began, first, text = time.perf_counter(), None, ""
        inputs = {"messages": [HumanMessage(prompt(number))]}
        if not load.streamed:
            return Answer(await chains[number].ainvoke(inputs), None)
        async for part in chains[number].astream(inputs):
            if first is None and part:
                first = time.perf_counter() - began
            text += part
        return Answer(text, first)

    used = time.process_time()
    answers, seconds = await run_concurrently(load, ask)
    return Round(answers, seconds, time.process_time() - used)


class ServerTarget:
    """The API's server, asked over the loopback network by the barest client."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self._port, self._process = port, process

    @property
    def process(self) -> psutil.Process:
        """The process that answers."""
        return self._process

    def measure(self, load: Load) -> Round:
        """One round. Raises ValueError for a reply that is none."""
        sent = [self._request(load, number) for number in range(load.requests)]
        server, client = self._used(), time.process_time()
        replies, seconds = asyncio.run(run_concurrently(load, lambda number: send(self._port, sent[number])))
        server, client = self._used() - server, time.process_time() - client
        return Round([parse_answer(load, pieces) for pieces in replies], seconds, server, client)

    def _used(self) -> float:
        spent = self._process.cpu_times()
        return float(spent.user + spent.system)

    def _request(self, load: Load, number: int) -> bytes:
        payload = {"messages": [{"role": "user", "content": prompt(number)}], **load.options(number)}
        if load.streamed:
            payload |= {"stream": True, "stream_options": {"include_usage": True}}
        body = json.dumps(payload).encode()
        head = [
            "POST /v1/chat/completions HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            f"Authorization: Bearer {KEY}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        return "\r\n".join([*head, "", ""]).encode() + body


async def send(port: int, request: bytes) -> Pieces:
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


def api_environment(folder: str, backend: str, streams: int) -> dict[str, str]:
    """The variables of an API that is measured: a database of its own in `folder`, a key, room for all streams."""
    return {
        "LLM_BACKEND": backend,
        "API_KEYS": KEY,
        "MAX_QUEUE": str(max(64, streams)),
        "DATABASE_URL": f"sqlite:///{Path(folder) / 'api.db'}",
    }


@contextmanager
def start_api(backend: str, streams: int) -> Iterator[ServerTarget]:
    """The API, started as its users do, with a database and a key of its own. Raises ValueError where it ends."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        own = api_environment(folder, backend, streams)
        with start_server(["uvicorn", "api:app", "--app-dir", str(ROOT), "--port", str(port)], port, own) as target:
            yield target


@contextmanager
def start_server(
    module: Sequence[str], port: int, own: Mapping[str, str], root: Path = ROOT, runner: Sequence[str] = ("-m",)
) -> Iterator[ServerTarget]:
    """`python -m module` of the checkout at `root`, once it answers at the port. Raises ValueError where it ends.

    `runner`: what runs the module in the place of `-m`.
    """
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, *runner, *module]
        with subprocess.Popen(command, env={**os.environ, **own}, stdout=log, stderr=log, cwd=root) as process:
            try:
                if not _wait_ready(port, process):
                    log.seek(0)
                    raise ValueError(f"the API did not start: {_error_line(log.read().decode(errors='replace'))}")
                yield ServerTarget(port, psutil.Process(process.pid))
            finally:
                process.terminate()


def _wait_ready(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether it answers, after waiting for it; also an answer that it is not ready counts."""
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


def _error_line(log: str) -> str:
    """The line of a log that says what went wrong."""
    lines = log.splitlines() or ["it says nothing"]
    return next((line for line in lines if line.startswith("ERROR")), lines[-1]).removeprefix("ERROR:").strip()


def parse_answer(load: Load, pieces: Pieces) -> Answer:
    """What the bytes say. Raises ValueError where that is a failure, or not as many tokens as were asked for."""
    status, body, arrived = parse_response(pieces)
    if status != 200:
        raise ValueError(f"the API answered {status}: {json.loads(body)['error']['message']}")
    rows = (
        [json.loads(body)]
        if not load.streamed
        else [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    )
    if "error" in rows[-1]:
        raise ValueError(f"the API broke off: {rows[-1]['error']['message']}")
    came = rows[-1]["usage"]["completion_tokens"]
    if came != load.tokens:
        raise ValueError(f"a reply has {came} tokens instead of {load.tokens}; name a backend that knows ignore_eos")
    if not load.streamed:
        return Answer(rows[0]["choices"][0]["message"]["content"], None)
    parts = [row["choices"][0]["delta"].get("content") or "" for row in rows if row["choices"]]
    first = json.dumps(next(filter(None, parts))).encode()
    at = body.index(b'"content":' + first)
    return Answer("".join(parts), next(seconds for seconds, size in arrived if size > at))


def parse_response(pieces: Pieces) -> tuple[int, bytes, list[tuple[float, int]]]:
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
