"""`llama-server`, a process of its own, asked by this one over HTTP with the barest client there is.

It is started anew for each number of chats, with as many slots. The client keeps bytes and times while it measures, and
reads them afterwards.
"""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Any

from benchmarks import MARK
from benchmarks.contenders import TEMPERATURE, TOP_K, TOP_P, Contender, Message, Reply, Task
from benchmarks.targets import Pieces, parse_response, send

START = 60.0  # seconds to come up
SAMPLING = {
    "temperature": TEMPERATURE,
    "top_k": TOP_K,
    "top_p": TOP_P,
    "min_p": 0.0,
    "repeat_penalty": 1.0,
    "samplers": ["top_k", "temperature", "top_p"],
    "ignore_eos": True,
    "stream": True,
    "stream_options": {"include_usage": True},
}


class LlamaServerContender(Contender):
    """The program LLAMA_SERVER_BIN names."""

    def __init__(self, task: Task) -> None:
        self._task, self._program = task, os.environ["LLAMA_SERVER_BIN"]
        self._running: subprocess.Popen[bytes] | None = None
        self._chats = self._port = 0
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._start(1)

    async def ready(self, chats: int) -> None:
        """Start the server anew with as many slots as there are chats."""
        if chats != self._chats:
            self.close()
            self._start(chats)

    async def ask(self, messages: list[Message], tokens: int) -> Reply:
        """The reply, read from the kept bytes. Raises ValueError for a failure."""
        request = self._request({"messages": messages, "max_tokens": tokens, **SAMPLING})
        return parse_reply(await send(self._port, request))

    def facts(self) -> dict[str, str]:
        """The build, and what it says of itself at its start."""
        process = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=True)
        version = re.search(r"version: (.*)", process.stdout + process.stderr)
        self._log.seek(0)
        system = re.search(r"system_info:.*?(CPU :.*)", self._log.read().decode(errors="replace"))
        return {
            "build": f"llama-server {version[1] if version else '?'}",
            "system_info": system[1].strip() if system else "",
        }

    def close(self) -> None:
        """End the server's process."""
        if self._running is not None:
            self._running.send_signal(signal.SIGKILL)
            self._running.wait()
            self._running = None

    def _request(self, payload: dict[str, Any]) -> bytes:
        body = json.dumps(payload).encode()
        head = [
            "POST /v1/chat/completions HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Connection: close",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*head, "", ""]).encode() + body

    def _start(self, chats: int) -> None:
        task = self._task
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        command = [
            self._program,
            "-m",
            task.path,
            "-np",
            str(chats),
            "-c",
            str(chats * task.window),
            "-t",
            str(task.threads),
            "-tb",
            str(task.threads),
            "-fa",
            "on",
            "-ctk",
            "f16",
            "-ctv",
            "f16",
            "--host",
            "127.0.0.1",
            "--port",
            str(self._port),
            "--offline",
            "-lv",
            "4",
        ]
        self.began, self._chats = time.monotonic(), chats
        self._log.truncate(0)
        marks = os.environ.get(MARK, "").split(",")  # its users start it without
        alone = {name: value for name, value in os.environ.items() if name not in marks}
        self._running = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=alone
        )
        self.process = self._running.pid
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + START
        while self._running is not None and self._running.poll() is None and time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):  # not there yet, or 503 while it loads
                time.sleep(0.005)
        raise ValueError("llama-server did not start; see that LLAMA_SERVER_BIN runs by itself")


def parse_reply(pieces: Pieces) -> Reply:
    """What the bytes say, and when the first text came. Raises ValueError for a failure."""
    status, body, arrived = parse_response(pieces)
    if status != 200:
        raise ValueError(f"llama-server answered {status}")
    first, parts, tokens, at = None, [], 0, 0
    for line in body.splitlines(keepends=True):
        at += len(line)
        if not line.startswith(b"data: {"):
            continue
        row = json.loads(line[6:])
        text = "".join(choice["delta"].get("content") or "" for choice in row.get("choices", ()))
        if first is None and text:
            first = next(seconds for seconds, size in arrived if size >= at)
        parts.append(text)
        tokens = (row.get("usage") or {}).get("completion_tokens", tokens)
    if first is None:
        raise ValueError("llama-server gave a reply without any text")
    return Reply("".join(parts), first, tokens)


def start(task: Task) -> LlamaServerContender:
    """The contender, its server started for one chat."""
    return LlamaServerContender(task)
