"""A contender's process as its owner sees it: start it, give it orders, and leave nothing of it behind.

Knows lines of JSON and signals; nothing of what is measured.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.contenders import Task
from settings import ROOT

LONGEST = 300.0  # seconds for one answer
# This benchmark, over the code of another checkout: all but its own package is found there.
WORKER = """
import sys
import benchmarks
sys.path.insert(0, sys.argv[1])
from benchmarks.worker import main
main(sys.argv[2])
"""
LOOK = 0.5  # seconds between two looks whether it lives


class BrokenError(ValueError):
    """A contender that failed; the text says why in one line, without a path of this machine."""


class Process:
    """A running contender. `began`: when it was started, by time.monotonic()."""

    def __init__(self, running: subprocess.Popen[bytes], log: Any) -> None:
        self._running, self._log, self.began = running, log, time.monotonic()

    @property
    def number(self) -> int:
        """The id of the process."""
        return self._running.pid

    def order(self, do: str, **what: Any) -> dict[str, Any]:
        """Its answer. Raises BrokenError where it ends, or says nothing for too long."""
        assert self._running.stdin is not None
        try:
            self._running.stdin.write(json.dumps({"do": do, **what}).encode() + b"\n")
            self._running.stdin.flush()
        except BrokenPipeError:
            raise BrokenError(self._reason()) from None
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def _line(self) -> bytes:
        assert self._running.stdout is not None
        data, end, file = b"", time.monotonic() + LONGEST, self._running.stdout.fileno()
        while not data.endswith(b"\n"):
            if select.select([file], [], [], LOOK)[0]:
                if not (part := os.read(file, 65536)):
                    raise BrokenError(self._reason())
                data += part
            elif self._running.poll() is not None:  # what it has forked may hold the pipe open
                raise BrokenError(self._reason())
            elif time.monotonic() > end:
                raise BrokenError(f"hangs: it said nothing for {LONGEST:g} s")
        return data

    def _reason(self) -> str:
        """How it ended: the signal, and the line that says why."""
        status = self._running.wait(10)
        self._log.seek(0)
        reason = error_line(self._log.read().decode(errors="replace"))
        how = f"aborts ({signal.Signals(-status).name})" if status < 0 else f"fails (status {status})"
        return f"{how}: {reason}" if reason else how


def error_line(log: str) -> str:
    """The line of a log that tells what went wrong."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    assertion = [line for line in lines if "GGML_ASSERT" in line or "terminate called" in line]
    return strip_paths((assertion or lines or [""])[-1])[:300]


def strip_paths(text: str) -> str:
    """Every path in a text cut to its last part: the folders of this machine are nobody's business."""
    return re.sub(r"(?:/[\w.@+-]+)+/([\w.@+-]+)", r"\1", text)


@contextmanager
def start_contender(task: Task, python: str, variables: dict[str, str], folder: Path) -> Iterator[Process]:
    """The contender in a process group of its own, working in `folder`; it and all it started end with the block."""
    environment = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    command = [python, "-c", WORKER, variables.get("BENCHMARKS_CODE", str(ROOT)), json.dumps(asdict(task))]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        try:
            yield Process(process, log)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill its whole group, even where it has ended and what it started has not."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    process.wait()


def time_cli_ask(backend: str, text: str, variables: dict[str, str], folder: Path) -> float:
    """Seconds from the start of `python cli.py ask` to the first text. Raises BrokenError."""
    command = [sys.executable, str(ROOT / "cli.py"), "ask", text, "--backend", backend, "--max-tokens", "8"]
    began = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **variables},
            cwd=folder,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            output, first = os.read(process.stdout.fileno(), 1), time.monotonic() - began
            if not output.strip():
                log.seek(0)
                raise BrokenError(error_line(log.read().decode(errors="replace")) or "`ask` said nothing")
            return first
        finally:
            end(process)
