"""One file of a repository, written to disk: gone on with after a break or a kill, and held against its hash.

The hub's client throws away what it has of a file whose download ends early; so the bytes are asked for here, through
that client's session, from where the part that lies on disk ends. Knows one file; nothing of models.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from backends.models.hub import HubError, endpoint, explained, session_tools
from backends.models.progress import Progress
from backends.models.repository import RemoteFile

CHUNK = 2**18  # bytes
PATIENCE = 20.0  # seconds without a byte
TRIES = 5  # breaks in a row, without a byte between them
PAUSE = 0.5  # seconds before the first new try; each next one waits twice as long


class CancelledError(Exception):
    """Somebody cancelled the download; what is there stays, to go on with."""


class BrokenTransferError(Exception):
    """The connection broke before the file's end."""


def partial_path(target: Path, file: RemoteFile) -> Path:
    """Where a file lies until it is whole: another one for other contents."""
    return target.with_name(f".{target.name}.{(file.sha256 or file.git_hash or 'x')[:16]}.part")


def transfer(
    repository: str, commit: str, file: RemoteFile, target: Path, progress: Progress, cancelled: Event
) -> Path:
    """Write a file, whole and checked, and return where it lies (`partial_path`).

    Raises HubError, CancelledError, OSError.
    """
    part = partial_path(target, file)
    part.parent.mkdir(parents=True, exist_ok=True)
    breaks = 0
    while (size := part.stat().st_size if part.exists() else 0) != file.size:
        if size > file.size:
            part.unlink()
            progress.add(-size)
            continue
        try:
            with explained(repository):
                _receive(repository, commit, file, part, progress, cancelled)
            break
        except BrokenTransferError as error:
            moved = part.exists() and part.stat().st_size > size
            breaks = 0 if moved else breaks + 1
            if breaks >= TRIES:
                raise HubError(
                    f"{file.name}: the connection to {endpoint()} breaks again and again ({error}). Ask for it again "
                    "later: it goes on where it is."
                ) from error
            _pause(PAUSE * 2**breaks, progress, cancelled)
    if not part.exists():
        part.touch()  # an empty file
    _check(file, part, progress, cancelled)
    return part


def _pause(seconds: float, progress: Progress, cancelled: Event) -> None:
    progress.step = "the connection broke; trying again"
    if cancelled.wait(seconds):
        raise CancelledError


def _receive(repository: str, commit: str, file: RemoteFile, part: Path, progress: Progress, cancelled: Event) -> None:
    """Ask for the rest of a file and write it. Raises BrokenTransferError, CancelledError."""
    from httpx2 import TimeoutException, TransportError

    have = part.stat().st_size if part.exists() else 0
    try:
        with _answer(repository, commit, file, have) as response, part.open("ab") as out:
            if have and response.status_code != 206:  # all of it comes
                out.truncate(0)
                progress.add(-have)
            progress.step = "downloading"
            for chunk in response.iter_raw(CHUNK):
                if cancelled.is_set():
                    raise CancelledError
                out.write(chunk)
                progress.add(len(chunk))
    except (TransportError, TimeoutException) as error:
        raise BrokenTransferError(" ".join(str(error).split()) or type(error).__name__) from error
    if part.stat().st_size < file.size:
        raise BrokenTransferError("it ended early")


@contextmanager
def _answer(repository: str, commit: str, file: RemoteFile, have: int) -> Iterator[Any]:
    from huggingface_hub import hf_hub_url

    client = session_tools()
    url = hf_hub_url(repository, file.name, revision=commit, endpoint=endpoint())
    headers = {
        **client.build_hf_headers(),
        "Accept-Encoding": "identity",
        **({"Range": f"bytes={have}-"} if have else {}),
    }
    with client.get_session().stream("GET", url, headers=headers, timeout=PATIENCE) as response:
        if response.status_code >= 400:
            response.read()
        client.hf_raise_for_status(response)
        yield response


def _check(file: RemoteFile, part: Path, progress: Progress, cancelled: Event) -> None:
    """Hold a whole file against its hash. Raises HubError where it is another, which is deleted then."""
    progress.step = "checking"
    if file.sha256:
        found, expected = _digest(part, hashlib.sha256(), cancelled), file.sha256
    elif file.git_hash:
        start = hashlib.sha1(f"blob {part.stat().st_size}\0".encode(), usedforsecurity=False)
        found, expected = _digest(part, start, cancelled), file.git_hash
    else:
        return
    if found != expected:
        size = part.stat().st_size
        part.unlink()
        progress.add(-size)
        raise HubError(
            f"{file.name} came damaged: its hash is {found[:12]}… where the hub says {expected[:12]}…. It was deleted; "
            "ask for it again."
        )


def _digest(path: Path, digest: Any, cancelled: Event) -> str:
    with path.open("rb") as file:
        while data := file.read(2**20):
            if cancelled.is_set():
                raise CancelledError
            digest.update(data)
            time.sleep(0)  # whoever waits for this interpreter goes on between
    return str(digest.hexdigest())
