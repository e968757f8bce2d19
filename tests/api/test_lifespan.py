"""The end of a real server: replies finish, or are kept as far as they came; nothing new begins; the process goes."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from conversations.store.database import connect
from conversations.store.schema import Message, State
from tests.api.process import Process, served
from tests.loopback import Loopback

LONG = {"model": "default", "messages": [{"role": "user", "content": "hi"}], "stream": True}
WORDS = 40  # of a reply that takes two seconds


@pytest.fixture(params=["uvicorn", "serve"])
def way(request: pytest.FixtureRequest) -> str:
    """How the server is started."""
    return str(request.param)


@contextmanager
def started(folder: Path, way: str, loopback: Loopback, grace: str) -> Iterator[Process]:
    """A server that answers from the scripted one."""
    asked = {"LLM_BACKEND": "openai", "OPENAI_BASE_URL": loopback.url, "SHUTDOWN_GRACE": grace}
    with served(folder, way, **asked) as server:
        yield server


def told(server: Process, lines: Iterator[str]) -> list[str]:
    """What a stream still says once its server was told to end."""
    found = [next(lines)]
    server.popen.send_signal(signal.SIGTERM)
    return [line for line in [*found, *lines] if line]


def ended(process: subprocess.Popen[bytes], seconds: float) -> float:
    """How long it took to end."""
    begun = time.monotonic()
    process.wait(seconds)
    return time.monotonic() - begun


def saved() -> Message:
    """The one reply in the database."""
    with connect(os.environ["DATABASE_URL"]).reading() as session:
        return session.scalars(select(Message).where(Message.role == "assistant")).one()


def test_a_reply_that_finishes_in_time_is_told_to_its_end_and_nothing_new_begins(
    tmp_path: Path, way: str, loopback: Loopback
) -> None:
    loopback.script.append(f"slow {WORDS}")
    with started(tmp_path, way, loopback, grace="10") as server, httpx.Client(base_url=server.url) as idle:
        idle.get("/health")  # a connection that is open already
        with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=LONG, timeout=300) as answer:
            lines = answer.iter_lines()
            said = [next(lines)]
            server.popen.send_signal(signal.SIGTERM)
            time.sleep(0.4)
            with httpx.Client() as fresh:
                for client in (idle, fresh):
                    with suppress(httpx.TransportError):  # it is not even connected
                        refused = client.post(f"{server.url}/v1/chat/completions", json=LONG)
                        assert refused.status_code == 503
                        assert refused.headers["retry-after"]
            said += [line for line in lines if line]
        assert said[-1] == "data: [DONE]"
        text = "".join(json.loads(line[6:])["choices"][0]["delta"].get("content", "") for line in said[:-1])
        assert text.split() == [f"word{number}" for number in range(WORDS)]
        ended(server.popen, 20)
    assert len(loopback.requests) == 1


def test_one_that_does_not_is_ended_with_an_error_and_kept_with_its_words(
    tmp_path: Path, way: str, loopback: Loopback
) -> None:
    loopback.script.extend(["slow", "slow"])
    with started(tmp_path, way, loopback, grace="0.5") as server, ThreadPoolExecutor(1) as asking:
        asked = asking.submit(httpx.post, f"{server.url}/predict", json={"text": "hi"}, timeout=300)
        while loopback.sent < 5:
            time.sleep(0.02)
        begun = time.monotonic()
        with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=LONG, timeout=300) as answer:
            lines = told(server, answer.iter_lines())
        kept = asked.result(20)
        assert time.monotonic() - begun < 20, "not the minutes that clients wait"
        ended(server.popen, 20)
    assert json.loads(lines[-1][6:])["error"]["code"] == "ending", server.wrote()
    assert len(lines) > 3
    assert (kept.status_code, kept.json()["error"]["code"]) == (503, "ending"), server.wrote()
    row = saved()
    assert row.state == State.INTERRUPTED
    assert row.text.startswith("word0 word1 word2")
    assert len(loopback.gone) == 2
    assert loopback.sent < 150


def test_a_client_that_never_reads_holds_nobody_up(tmp_path: Path, way: str, loopback: Loopback) -> None:
    loopback.answer = lambda _: "word " * 200_000
    with started(tmp_path, way, loopback, grace="1") as server:
        port = int(server.url.rpartition(":")[2])
        body = json.dumps(LONG).encode()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
            deaf.sendall(head.encode() + body)
            while not loopback.requests:
                time.sleep(0.02)
            time.sleep(0.5)
            server.popen.send_signal(signal.SIGTERM)
            assert ended(server.popen, 15) < 12


def test_an_idle_server_ends_at_once(tmp_path: Path, way: str, loopback: Loopback) -> None:
    with started(tmp_path, way, loopback, grace="10") as server, httpx.Client(base_url=server.url) as idle:
        idle.get("/health")
        server.popen.send_signal(signal.SIGTERM)
        assert ended(server.popen, 10) < 5
        assert "Traceback" not in server.wrote()
