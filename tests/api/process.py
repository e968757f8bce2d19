"""The API, or page and API, as a process of its own with all that it wrote."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from settings import ROOT
from tests import fork
from tests.conftest import answers, free_port

WAYS = {
    "uvicorn": ["-m", "uvicorn", "--app-dir", str(ROOT), "api:app", "--port"],
    "serve": ["-m", "cli", "serve"],
}


@dataclass
class Process:
    """A server that answers; `log` is where its output goes."""

    popen: subprocess.Popen[bytes]
    url: str
    log: Path

    def wrote(self) -> str:
        """All it has said."""
        return self.log.read_text()


@contextmanager
def served(folder: Path, way: str = "uvicorn", **variables: str) -> Iterator[Process]:
    """While the block runs; ended with SIGTERM, and killed where that does not end it."""
    port, log = free_port(), folder / "log"
    command = [sys.executable, *WAYS[way], *([str(port)] if way == "uvicorn" else [])]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_BACKEND": "llamacpp", "PORT": str(port), **variables}
    with log.open("ab") as target:
        process = fork.Popen(command, cwd=folder, stdout=target, stderr=target, env=given)
    url = f"http://127.0.0.1:{port}"
    try:
        answers(f"{url}/health", process)
        yield Process(process, url, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()
