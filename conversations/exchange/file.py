"""From a file's bytes to a JSON value: size, zip, encoding, syntax. Knows no conversation.

Every error is one line that says what is wrong with the bytes.
"""

import io
import json
import re
import zipfile
import zlib
from collections import Counter
from typing import Any

from conversations.exchange.errors import ExchangeError, preview

MAX_BYTES = 500_000_000  # bytes, unpacked
MAX_RATIO = 200  # times its packed size; chats pack 5 to 20 times
RATIO_EXEMPT = 10_000_000  # bytes that may swell as they like
MEMBER = re.compile(r"(?:.*/)?conversations(?:-\d+)?\.json")
READING = "for reading only: export with --format json what is to be imported"


def check_size(count: int) -> None:
    """Check a number of bytes. Raises ExchangeError for more than are read."""
    if count > MAX_BYTES:
        raise ExchangeError(f"it has {count:,} bytes, at most {MAX_BYTES:,} are read; split it")


def parse_file(data: bytes, name: str) -> list[Any]:
    """The JSON values of a file: of a zip each part of its conversations. Raises ExchangeError."""
    check_size(len(data))
    if data.startswith(b"PK\x03\x04"):
        return [parse_json(part, name) for part in _unzip(data)]
    return [parse_json(data, name)]


def parse_json(data: bytes, name: str) -> Any:
    """The JSON value of some bytes. Raises ExchangeError."""
    text = _decode(data)
    if not text.strip():
        raise ExchangeError("it is empty")
    if text.lstrip().startswith(("# ", "<!--")) or name.lower().endswith((".md", ".markdown")):
        raise ExchangeError(f"it is Markdown, {READING}")
    try:
        return json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except RecursionError:
        raise ExchangeError("it is nested too deep to be a chat") from None
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            raise ExchangeError("it ends in the middle: it was cut short, get it once more") from None
        raise ExchangeError(f"it is not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ExchangeError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise ExchangeError(f"it is not JSON that can be read: {error}") from None


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExchangeError(f"it is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different: of two messages with one id, one would be lost."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ExchangeError(f"it has {preview(twice)} twice in one object")
    return unique


def _refuse_constant(name: str) -> Any:
    raise ExchangeError(f"it is not JSON: {name} is no number")


def _unzip(data: bytes) -> list[bytes]:
    """The conversations in a zip as ChatGPT sends it: one file, or numbered ones."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = sorted((i for i in archive.infolist() if MEMBER.fullmatch(i.filename)), key=lambda i: i.filename)
            members = [i for i in members if not i.filename.startswith("__MACOSX")]
            _check_members(members)
            return [_read_member(archive, info) for info in members]
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise ExchangeError(f"it is a zip that cannot be unpacked: {error}") from None


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    """Check what a zip says of its members, before any is unpacked. Raises ExchangeError."""
    if not members:
        raise ExchangeError("it is a zip without conversations.json")
    check_size(sum(info.file_size for info in members))
    for info in members:
        if info.file_size > max(RATIO_EXEMPT, info.compress_size * MAX_RATIO):
            raise ExchangeError(
                f"{preview(info.filename)} in it would swell from {info.compress_size:,} to {info.file_size:,} bytes, "
                "which no chat does"
            )


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member; what is longer than it says is refused by the checksum."""
    with archive.open(info) as member:
        return member.read(info.file_size + 1)
