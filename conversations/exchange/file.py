"""From a file to JSON values: size, and the zip that ChatGPT sends, of which only conversations are unpacked.

Knows no conversation. Every error is one line that says what is wrong with the bytes.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.syntax import Unreadable, parse_json

MAX_BYTES = 500_000_000  # bytes of conversations, unpacked; pictures beside them do not count
MAX_BESIDE = 50_000_000  # bytes of a file that lies beside them
MAX_RATIO = 200  # times its packed size; chats pack 5 to 20 times
RATIO_EXEMPT = 10_000_000  # bytes that may swell as they like
MEMBER = re.compile(r"(?:.*/)?conversations(?:[-_ ]?\d+)?\.json")
BESIDE = (
    *("message_feedback.json", "conversation_asset_file_names.json", "library_files.json"),
    *("projects.json", "group_chats.json"),
)
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # the second is of an empty one


@dataclass
class Archive:
    """What a file holds beside its conversations: JSON files by name, names of all files, what could not be read."""

    beside: dict[str, Any] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_size(count: int) -> None:
    """Check a number of bytes. Raises ExchangeError for more than are read."""
    if count > MAX_BYTES:
        raise ExchangeError(f"it has {count:,} bytes, at most {MAX_BYTES:,} are read; split it")


def read_file(stream: BinaryIO, size: int, name: str, path: Path | None = None) -> tuple[Archive, Iterator[Any]]:
    """What a file holds, and its JSON values: of a zip each part of its conversations, one at a time.

    The values are read as they are asked for, and raise ExchangeError too. `path` is where the file lies, if it does:
    of what was unpacked, the files beside conversations are read there.
    """
    start = stream.read(4)
    stream.seek(0)
    if start in ZIP_STARTS:
        with _unpacking():
            return _open_zip(zipfile.ZipFile(stream), name)
    check_size(size)
    return _read_siblings(path), (parse_json(data, name) for data in [stream.read()])


def _read_siblings(path: Path | None) -> Archive:
    """What lies beside conversations that somebody has unpacked; nothing where this file is called otherwise."""
    found = Archive()
    if path is None or not MEMBER.fullmatch(path.name):
        return found
    with suppress(OSError):
        found.names = [each.name for each in path.parent.iterdir()]
    for name in sorted(set(BESIDE) & set(found.names)):
        _read_beside(name, path.with_name(name), found)
    return found


def _open_zip(archive: zipfile.ZipFile, name: str) -> tuple[Archive, Iterator[Any]]:
    infos = [info for info in archive.infolist() if not info.filename.startswith("__MACOSX")]
    members = sorted((i for i in infos if MEMBER.fullmatch(i.filename)), key=lambda info: info.filename)
    names = [info.filename for info in infos]
    _check_members(members, names)
    found = Archive(names=names)
    for info in infos:
        if (base := info.filename.rpartition("/")[2]) in BESIDE:
            _read_beside(base, (archive, info), found)
    return found, _values(archive, members, name)


def _values(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], name: str) -> Iterator[Any]:
    """The value of each member; where one of several cannot be read, that stands in its place."""
    for info in members:
        with _unpacking():
            data = _read_member(archive, info)
        try:
            yield parse_json(data, name)
        except ExchangeError as error:
            if len(members) == 1:
                raise
            yield [Unreadable(f"{preview(info.filename)}: {error}")]


def _read_beside(name: str, source: Path | tuple[zipfile.ZipFile, zipfile.ZipInfo], found: Archive) -> None:
    """Read a file that lies beside conversations; one that cannot be read is noted and takes nothing with it."""
    try:
        size = source.stat().st_size if isinstance(source, Path) else source[1].file_size
        if size > MAX_BESIDE:
            raise ExchangeError(f"it has {size:,} bytes, at most {MAX_BESIDE:,} are read")
        with _unpacking():
            data = source.read_bytes() if isinstance(source, Path) else _read_member(*source)
        found.beside[name] = parse_json(data, name) if data.strip() else None
    except (ExchangeError, OSError) as error:
        found.notes.append(f"{name} beside it is left out: {error}")


def _check_members(members: list[zipfile.ZipInfo], names: list[str]) -> None:
    """Check what a zip says of its members, before any is unpacked. Raises ExchangeError."""
    if not members and any(name.rpartition("/")[2] == "chat.html" for name in names):
        raise ExchangeError(
            "it is a zip without conversations.json: its chat.html is for reading only; export once more"
        )
    if not members:
        raise ExchangeError("it is a zip without conversations.json")
    check_size(sum(info.file_size for info in members))
    for info in members:
        _check_ratio(info)


def _check_ratio(info: zipfile.ZipInfo) -> None:
    if info.file_size > max(RATIO_EXEMPT, info.compress_size * MAX_RATIO):
        raise ExchangeError(
            f"{preview(info.filename)} in it would swell from {info.compress_size:,} to {info.file_size:,} bytes, "
            "which no chat does"
        )


@contextmanager
def _unpacking() -> Iterator[None]:
    """A block in which a broken zip raises ExchangeError."""
    try:
        yield
    except ExchangeError:
        raise
    except BROKEN_ZIP as error:
        raise ExchangeError(f"it is a zip that cannot be unpacked: {error}") from None


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member; what is longer than it says is refused by the checksum, what swells too much before it is read."""
    _check_ratio(info)
    with archive.open(info) as member:
        return member.read(info.file_size + 1)
