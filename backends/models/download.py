"""A model of a repository, downloaded whole: room on the disk first, then each file, then all names at once.

What is there of an earlier try is gone on with. A model appears in the catalogue when all of its files are whole.
Knows offers and folders; nothing of who asked.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

from backends.models import hub
from backends.models.hub import HubError
from backends.models.progress import Progress, format_bytes
from backends.models.repository import SAVED, ChoiceError, Offer, RemoteFile, split_spec
from backends.models.transfer import CancelledError, partial_path, transfer

MARGIN = 100 * 10**6  # bytes that stay free
LOCK = ".lock"
POLL = 0.2  # seconds between two looks whether another process is done


def download(spec: str, home: Path, progress: Progress, cancelled: Event, waits: bool = False) -> Path:
    """Download the model of `owner/name` or `owner/name:model` and return its file, or its folder.

    `waits`: for whoever downloads into its folder already. Raises HubError, CancelledError; OSError where the disk
    refuses.
    """
    name, wanted = split_spec(spec)
    repository = hub.read_repository(name)
    try:
        offer = repository.choose(wanted)
    except ChoiceError as error:
        raise HubError(str(error)) from error
    folder = model_folder(home, name)
    targets = {file: _target(folder, file) for file in offer.files}
    with _locked(folder, spec, progress, cancelled if waits else None):
        _check_room(targets, home, offer, progress)
        parts = {
            target: transfer(name, repository.commit, file, target, progress, cancelled)
            for file, target in targets.items()
            if not _is_there(file, target, progress)
        }
        for target, part in parts.items():
            part.replace(target)
    progress.step, progress.done = "done", progress.total
    return folder if offer.name == SAVED else targets[offer.files[0]]


def model_folder(home: Path, repository: str) -> Path:
    """The folder of a repository's models."""
    owner, _, name = repository.rpartition("/")
    return home / (owner or "hub") / name


def _target(folder: Path, file: RemoteFile) -> Path:
    """Where a file goes. Raises HubError for a name that leads out of the folder."""
    target = folder / file.name
    if not target.resolve().is_relative_to(folder.resolve()) or "\\" in file.name or ":" in file.name:
        raise HubError(f"{file.name!r} is no name of a file that can be kept: it leads out of its folder.")
    return target


def _is_there(file: RemoteFile, target: Path, progress: Progress) -> bool:
    """Whether a file was downloaded before; only whole and checked ones have their names."""
    if not target.is_file():
        return False
    if target.stat().st_size == file.size:
        return True
    target.unlink()  # of another commit
    return False


def _check_room(targets: dict[RemoteFile, Path], home: Path, offer: Offer, progress: Progress) -> None:
    """Count what is there, and look for room for the rest. Raises HubError."""
    have = sum(min(file.size, _present(file, target)) for file, target in targets.items())
    progress.restart(offer.size, have)
    home.mkdir(parents=True, exist_ok=True)
    missing, free = offer.size - have, shutil.disk_usage(home).free
    if missing + MARGIN > free:
        raise HubError(
            f"{offer.name} needs {format_bytes(missing)} more, and {home} has {format_bytes(free)} free. Make room, or "
            "set MODELS_HOME to a folder on another disk."
        )


def _present(file: RemoteFile, target: Path) -> int:
    """Bytes that are there of a file."""
    for path in (target, partial_path(target, file)):
        with suppress(OSError):
            return path.stat().st_size
    return 0


@contextmanager
def _locked(folder: Path, spec: str, progress: Progress, cancelled: Event | None) -> Iterator[None]:
    """A block in which nobody else writes into a folder; it waits for whoever does, until that is `cancelled`.

    Raises CancelledError; HubError where it cannot be.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            if cancelled is None:
                raise HubError(
                    f"{spec} is being downloaded by another process: wait for it, or end that one."
                ) from error
            progress.step = "another process downloads it; waiting"
            if cancelled.wait(POLL):
                raise CancelledError from error
    try:
        yield
    finally:
        lock.release()
