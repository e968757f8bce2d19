"""What `make run` is still installing while the page is up: how far each backend is, or why it will not come.

Reads .venv/installing, which deploy/install/progress.py writes; installs nothing.
"""

import os
import sys
from pathlib import Path

FOLDER = Path(sys.prefix) / "installing"


def progress(backend: str) -> str | None:
    """How far the installation of a backend is; None where none runs."""
    process, words = _read(backend)
    return f"{words}; it appears here when it is ready" if _runs(process) else None


def failure(backend: str) -> str | None:
    """Why the last installation of a backend brought nothing; None where it did, or there was none."""
    process, words = _read(backend)
    return words or None if process == 0 else None


def is_running() -> bool:
    """Whether a backend is still being installed."""
    return any(_runs(_read(path.name)[0]) for path in FOLDER.glob("[!.]*"))


def _read(backend: str) -> tuple[int, str]:
    """The process that installs a backend, 0 where it gave up, and its words; empty where there is no such file."""
    try:
        number, _, words = (FOLDER / backend).read_text().partition("\n")
        return int(number), words.strip()
    except (OSError, ValueError):
        return 0, ""


def _runs(process: int) -> bool:
    """Whether a process is there: one that was killed leaves its file."""
    try:
        if process > 0:
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return process > 0
