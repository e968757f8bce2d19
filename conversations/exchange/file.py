"""From a file to what stands in it: its size, and the zips that services send, of which only chats are unpacked.

Knows no conversation. Every error is one line that says what is wrong with the bytes.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.png import SIGNATURE, read_card
from conversations.exchange.stream import Contents, read_contents, unwrap
from conversations.exchange.syntax import parse_json

MAX_BYTES = 4_000_000_000  # bytes of conversations, unpacked; pictures beside them do not count
MAX_WHOLE = 8_000_000  # bytes of a file that is read at once; a longer one an item at a time
MAX_BESIDE = 50_000_000  # bytes of a file that lies beside them
MAX_PICTURE = 50_000_000  # bytes of a picture that is a character's card
MAX_RATIO = 200  # times its packed size; chats pack 5 to 20 times
RATIO_EXEMPT = 10_000_000  # bytes that may swell as they like
MEMBER = re.compile(r"(?:.*/)?conversations(?:[-_ ]?\d+|/[^/]+)?\.json")
OTHER = re.compile(r"(?:.*/)?[^/]+\.(?:json|jsonl|txt)|(?:.*/)?[^/.]+", re.IGNORECASE)  # AI Studio's have no suffix
PROJECT = re.compile(r"(?:.*/)?projects/[^/]+\.json")
BESIDE = (
    *("message_feedback.json", "conversation_asset_file_names.json", "library_files.json", "group_chats.json"),
    *("projects.json", "memories.json", "assistants.json"),
)
DRAWN = "dalle-generations"  # a folder of pictures that a model drew
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # the second is of an empty one


@dataclass(frozen=True)
class Member:
    """A file of conversations, alone or in a zip; `is_sure`: by its name it has to be one."""

    name: str
    size: int
    open: Callable[[], BinaryIO]
    is_packed: bool = False
    is_sure: bool = True


@dataclass
class Archive:
    """What a file holds beside its conversations: JSON files by name, names of all files, what could not be read.

    `read` gives the bytes of one of those files, None where they cannot be had or are too many.
    """

    beside: dict[str, Any] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    read: Callable[[str], bytes | None] = lambda name: None


def check_size(count: int) -> None:
    """Check a number of bytes. Raises ExchangeError for more than are read."""
    if count > MAX_BYTES:
        raise ExchangeError(f"it has {count:,} bytes, at most {MAX_BYTES:,} are read; split it")


def open_file(stream: BinaryIO, size: int, name: str, path: Path | None = None) -> tuple[Archive, Sequence[Member]]:
    """What lies beside conversations, and the files that hold some, or may.

    `path` is where the file lies, if it does: of what was unpacked, the files beside conversations are read there.
    Raises ExchangeError.
    """
    start = stream.read(4)
    stream.seek(0)
    if start in ZIP_STARTS:
        with unpacking():
            return _open_zip(zipfile.ZipFile(stream))
    check_size(size)
    return _read_siblings(path), [Member(name, size, partial(_from_start, stream))]


def read_member(member: Member, lists: Sequence[str], whole: int = MAX_WHOLE) -> Contents:
    """What stands in a file; one of more than `whole` bytes is read as its items are asked for.

    Raises ExchangeError, also while items are read.
    """
    with unpacking() if member.is_packed else nullcontext():
        stream = member.open()
        start = stream.read(len(SIGNATURE))
        stream.seek(0)
        if start == SIGNATURE:
            return Contents(iter([read_card(stream.read(MAX_PICTURE))]))
        if member.size > whole:
            contents = read_contents(stream, member.name, lists)
            return replace(contents, items=_unpacked(contents.items)) if member.is_packed else contents
        data = stream.read(member.size + 1)  # of a zip what is longer than it says is refused by its checksum
    return unwrap(parse_json(data, member.name), lists)


def _unpacked(items: Iterator[Any]) -> Iterator[Any]:
    with unpacking():
        yield from items


def _from_start(stream: BinaryIO) -> BinaryIO:
    stream.seek(0)
    return stream


def _read_siblings(path: Path | None) -> Archive:
    """What lies beside conversations that somebody has unpacked; nothing where this file is called otherwise."""
    found = Archive()
    if path is None or not MEMBER.fullmatch(path.name):
        return found
    with suppress(OSError):
        found.names = [each.name for each in path.parent.iterdir()]
        found.names += [f"{DRAWN}/{each.name}" for each in (path.parent / DRAWN).iterdir()]
    found.read = partial(_read_sibling, path.parent)
    for name in sorted(set(BESIDE) & set(found.names)):
        _read_beside(name, path.with_name(name), found)
    for project in sorted(path.parent.glob("projects/*.json")):
        _read_beside(f"projects/{project.name}", project, found)
    return found


def _read_sibling(folder: Path, name: str) -> bytes | None:
    """A file that lies beside conversations, or None."""
    path = folder / name
    with suppress(OSError):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_BESIDE:
            return path.read_bytes()
    return None


def _read_zipped(archive: zipfile.ZipFile, name: str) -> bytes | None:
    """A member of a zip, or None."""
    with suppress(ExchangeError, KeyError, *BROKEN_ZIP):
        info = archive.getinfo(name)
        return _read_whole(archive, info) if info.file_size <= MAX_BESIDE else None
    return None


def _open_zip(archive: zipfile.ZipFile) -> tuple[Archive, Sequence[Member]]:
    infos = [info for info in archive.infolist() if not info.filename.startswith("__MACOSX") and not info.is_dir()]
    sure = sorted((i for i in infos if MEMBER.fullmatch(i.filename)), key=lambda info: info.filename)
    found = Archive(names=[info.filename for info in infos], read=partial(_read_zipped, archive))
    for info in infos:
        base = info.filename.rpartition("/")[2]
        if base in BESIDE or PROJECT.fullmatch(info.filename):
            _read_beside(base if base in BESIDE else f"projects/{base}", (archive, info), found)
    members = sure or [info for info in infos if OTHER.fullmatch(info.filename)]
    _check_members(members, found.names)
    return found, [
        Member(i.filename, i.file_size, partial(_open_member, archive, i), is_packed=True, is_sure=bool(sure))
        for i in members
    ]


def _read_beside(name: str, source: Path | tuple[zipfile.ZipFile, zipfile.ZipInfo], found: Archive) -> None:
    """Read a file that lies beside conversations; one that cannot be read is noted and takes nothing with it."""
    try:
        size = source.stat().st_size if isinstance(source, Path) else source[1].file_size
        if size > MAX_BESIDE:
            raise ExchangeError(f"it has {size:,} bytes, at most {MAX_BESIDE:,} are read")
        with unpacking():
            data = source.read_bytes() if isinstance(source, Path) else _read_whole(*source)
        found.beside[name] = parse_json(data, name) if data.strip() else None
    except (ExchangeError, OSError) as error:
        found.notes.append(f"{name} beside it is left out: {error}")


def _check_members(members: list[zipfile.ZipInfo], names: list[str]) -> None:
    """Check what a zip says of its members, before any is unpacked. Raises ExchangeError."""
    bases = {name.rpartition("/")[2] for name in names}
    if not members and "chat.html" in bases:
        raise ExchangeError(
            "it is a zip without conversations.json: its chat.html is for reading only; export once more"
        )
    if not members and "MyActivity.html" in bases:
        raise ExchangeError("its MyActivity.html is for reading only: ask Takeout for My Activity as JSON")
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
def unpacking() -> Iterator[None]:
    """A block in which a broken zip raises ExchangeError."""
    try:
        yield
    except ExchangeError:
        raise
    except BROKEN_ZIP as error:
        raise ExchangeError(f"it is a zip that cannot be unpacked: {error}") from None


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> BinaryIO:
    """A member; what swells too much is refused before it is read."""
    _check_ratio(info)
    return cast(BinaryIO, archive.open(info))


def _read_whole(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with _open_member(archive, info) as member:
        return member.read(info.file_size + 1)
