"""What is being installed, told to whoever waits: on the terminal, and in .venv/installing, which the page reads.

One file for each backend, with the number of this process and a line of words; number 0 where nothing more comes. The
other end is backends/local/installing.py.
"""

import os
import sys
from pathlib import Path


class Progress:
    """The state of each backend, in `folder`; `terminal` is False for a background job."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when there is something to say."""
        self._folder = folder

    def begin(self, backend: str, words: str) -> None:
        """Say what is done for a backend now, on the terminal too."""
        print(f"{words}…", flush=True)
        self.update(backend, words)

    def update(self, backend: str, words: str) -> None:
        """Say how far it is."""
        self._write(backend, os.getpid(), words)

    def fail(self, backend: str, words: str) -> None:
        """Say why a backend will not be there, and what to do about it."""
        print(f"{backend}: {words}", file=sys.stderr, flush=True)
        self._write(backend, 0, words)

    def end(self, backend: str) -> None:
        """It is there."""
        (self._folder / backend).unlink(missing_ok=True)

    def _write(self, backend: str, process: int, words: str) -> None:
        self._folder.mkdir(exist_ok=True)
        unfinished = self._folder / f".{backend}"
        unfinished.write_text(f"{process}\n{words}\n")
        unfinished.replace(self._folder / backend)
