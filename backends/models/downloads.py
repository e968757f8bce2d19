"""The downloads of this process: each runs in a thread of its own, whoever looks at it, and ends only by itself.

Knows what runs and what became of it; nothing of pages and commands.
"""

import logging
import threading
from pathlib import Path
from typing import Literal

from backends.models.download import download
from backends.models.hub import HubError
from backends.models.progress import Progress
from backends.models.transfer import CancelledError

State = Literal["running", "done", "cancelled", "failed"]
log = logging.getLogger(__name__)

_downloads: dict[str, "Download"] = {}
_guard = threading.Lock()


class Download:
    """A download that runs or ran. `error` says why it failed; `path` is where the model is once it is there."""

    def __init__(self, spec: str, home: Path, waits: bool) -> None:
        self.spec, self.progress = spec, Progress(0)
        self.state: State = "running"
        self.error: str | None = None
        self.path: Path | None = None
        self._home, self._waits, self._cancelled = home, waits, threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"download {spec}", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """End it soon; what is there stays on disk."""
        self._cancelled.set()

    def wait(self, seconds: float | None = None) -> State:
        """The state after the end, or after so many seconds."""
        self._thread.join(seconds)
        return self.state

    def _run(self) -> None:
        try:
            self.path = download(self.spec, self._home, self.progress, self._cancelled, self._waits)
            self.state = "done"
        except CancelledError:
            self.state = "cancelled"
        except HubError as error:
            self._fail(str(error))
        except OSError as error:
            self._fail(f"{error.filename or self._home}: {error.strerror or error}")
        except Exception as error:  # whatever a library throws: a thread that died would look as if it ran
            log.exception("the download of %s failed", self.spec)
            self._fail(f"{self.spec}: {type(error).__name__}: {' '.join(str(error).split())}")

    def _fail(self, error: str) -> None:
        self.error, self.state = error, "failed"


def start(spec: str, home: Path, waits: bool = False) -> Download:
    """The download of `owner/name` or `owner/name:model`: the one that runs already, or a new one.

    `waits`: for another process that downloads the same, where a new one would fail.
    """
    with _guard:
        known = _downloads.get(spec)
        if known is None or known.state != "running":
            known = _downloads[spec] = Download(spec, home, waits)
        return known


def list_downloads() -> list[Download]:
    """Every download that runs, or ended and was not dismissed, the oldest first."""
    with _guard:
        return list(_downloads.values())


def dismiss(spec: str) -> None:
    """Forget one that ended."""
    with _guard:
        if spec in _downloads and _downloads[spec].state != "running":
            del _downloads[spec]
