"""What a model computed for its conversations, in files: for when the process, or the model, comes back.

`ROOT/MODEL/CONVERSATION.state`: one file for each conversation, both names hashed; a line of JSON, the tokens, the
state of llama.cpp. A model is told by its files and by all that its states hang on, so another one finds none of them;
and a state is found by its conversation alone, so nobody else's ever is.
Only a cache: what is cut short, changed or foreign is dropped. Files are for their owner's eyes only; they go with
their conversation (`forget`), with time, and the oldest where all would take more than there is room for. What was
computed before something of a conversation was deleted is not written after that, by whichever process:
`ROOT/CONVERSATION.deleted` says when it was.
Knows files and bytes; no context, and no conversation but by its hash.
"""

import hashlib
import json
import logging
import os
import secrets
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "llama-state-1"
ENDING, DELETED = ".state", ".deleted"
LONGEST_HEAD = 4096  # bytes of the first line
MAX_AGE = 30 * 24 * 3600  # seconds after its last use that a state is kept
HEADER_BYTES = 2**16  # of a model's file, from its beginning: names, sizes, a part of the vocabulary
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SavedState:
    """A file with a state; `tokens` are those it was computed for."""

    path: Path
    tokens: tuple[int, ...]
    conversation: str

    def load(self) -> bytes | None:
        """The state; None where its file is gone, or no longer what was written."""
        found = _read(self.path, whole=True)
        if found is None or found[0] != self:
            return None
        with suppress(OSError):
            os.utime(self.path)  # the least used go first
        return found[1]


class StateFolder:
    """The states of one model; at most `limit` bytes of all models together."""

    def __init__(self, root: Path, model: str, limit: int) -> None:
        """`model`: what tells it from any other, as `identify` has it."""
        self._root, self._folder, self._limit = root, root / model, limit
        try:
            _make_private(root)  # it being there says that there may be something to forget
        except OSError as error:
            log.warning("what is computed for conversations is not kept: %s", error)

    def find(self, conversation: str) -> SavedState | None:
        """The state of a conversation, without its bytes; None where there is none. What cannot be read is removed."""
        path = self._folder / f"{_hash(conversation)}{ENDING}"
        found = _read(path, whole=False)
        if found is None:
            _remove(path)
        return found[0] if found else None

    def stamp(self, conversation: str) -> int | None:
        """What changes with a conversation's file; None where there is none."""
        found = _stat(self._folder / f"{_hash(conversation)}{ENDING}")
        return None if found is None else found.st_mtime_ns

    def save(self, conversation: str, tokens: Sequence[int], state: Any, began: float) -> int | None:
        """The stamp of the file with a conversation's state, the computing of which began then (seconds of the epoch).

        None where something of it was deleted since, where it is too large, or the disk has no room.
        """
        name = _hash(conversation)
        if len(state) > self._limit or self._was_deleted(name, began):
            return None
        try:
            _make_private(self._root)
            _make_private(self._folder)
            stamp = _write(self._folder / f"{name}{ENDING}", name, tokens, state)
            self._prune()
        except OSError as error:
            log.warning("what was computed for a conversation is not kept: %s", error.strerror)
            return None
        if self._was_deleted(name, began):  # meanwhile
            _remove(self._folder / f"{name}{ENDING}")
        return stamp

    def _was_deleted(self, name: str, began: float) -> bool:
        found = _stat(self._root / f"{name}{DELETED}")
        return found is not None and found.st_mtime >= began

    def _prune(self) -> None:
        """Remove the oldest until all have room, and what nobody came back to."""
        paths = [path for folder in self._root.iterdir() if folder.is_dir() for path in _oldest_first(folder)]
        sizes = {path: found for path in paths if (found := _stat(path)) is not None}
        total, now = sum(each.st_size for each in sizes.values()), time.time()
        for path, found in sorted(sizes.items(), key=lambda item: item[1].st_mtime):
            if total > self._limit or now - found.st_mtime > MAX_AGE:
                _remove(path)
                total -= found.st_size
        for path in (*self._root.glob(f"*{DELETED}"), *self._root.glob(f"*/.*{ENDING}-*")):  # and unfinished ones
            if (found := _stat(path)) is not None and now - found.st_mtime > MAX_AGE:
                _remove(path)


def forget(root: Path, conversation: str) -> None:
    """Remove the states of a conversation of which something was deleted; no process writes one of before any more."""
    if not root.is_dir():
        return
    name, now = _hash(conversation), time.time()
    try:
        marker = root / f"{name}{DELETED}"
        marker.touch(mode=0o600)
        os.utime(marker, (now, now))  # the clock by which computing began: that of files may be a little behind
        for path in root.glob(f"*/{name}{ENDING}"):
            _remove(path)
    except OSError as error:
        log.warning("the states of a deleted conversation cannot be removed from %s: %s", root.name, error.strerror)


def identify(paths: Sequence[Path], *others: object) -> str:
    """What tells a model from any other: its files' sizes, times and beginnings, and what else its states hang on."""
    digest = hashlib.sha256(repr(others).encode())
    for path in paths:
        found = path.stat()
        digest.update(f"{found.st_size} {found.st_mtime_ns}".encode())
        with path.open("rb") as file:
            digest.update(file.read(HEADER_BYTES))
    return digest.hexdigest()[:32]


def _hash(conversation: str) -> str:
    return hashlib.sha256(conversation.encode("utf-8", "replace")).hexdigest()[:32]


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _remove(path: Path) -> None:
    """Remove a file, if it can be: another process may have done so, or somebody put something else in its place."""
    with suppress(OSError):
        path.unlink()


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _oldest_first(folder: Path) -> Iterator[Path]:
    found = [(stat.st_mtime, path) for path in folder.glob(f"*{ENDING}") if (stat := _stat(path)) is not None]
    yield from (path for _, path in sorted(found))


def _write(path: Path, name: str, tokens: Sequence[int], state: Any) -> int:
    """The stamp of a file that is written whole or not at all, readable by nobody else. Raises OSError."""
    ids = array("i", tokens).tobytes()
    head = {"format": FORMAT, "conversation": name, "tokens": len(tokens), "bytes": len(state)}
    head |= {"tokens_sha256": hashlib.sha256(ids).hexdigest(), "state_sha256": hashlib.sha256(state).hexdigest()}
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            file.write(ids)
            file.write(state)
        stamp = draft.stat().st_mtime_ns  # of this file: at its place another process may put its own at any time
        draft.replace(path)
    except BaseException:
        _remove(draft)
        raise
    return stamp


def _read(path: Path, whole: bool) -> tuple[SavedState, bytes] | None:
    """A state, with its bytes where the `whole` is read; None where they are not there as they were written."""
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline(LONGEST_HEAD))
            if head["format"] != FORMAT or f"{head['conversation']}{ENDING}" != path.name:
                return None
            ids = file.read(4 * int(head["tokens"]))
            state = file.read(int(head["bytes"]) + 1) if whole else b""
        if hashlib.sha256(ids).hexdigest() != head["tokens_sha256"]:
            return None
        if whole and (len(state) != head["bytes"] or hashlib.sha256(state).hexdigest() != head["state_sha256"]):
            return None
        return SavedState(path, tuple(array("i", ids)), head["conversation"]), state
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
