"""Local files as sources read them: those of a folder, their lines, and errors that name file and line.

Knows no format but UTF-8 and gzip.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

T = TypeVar("T")


def matching_files(source: str, raw: Path, endings: tuple[str, ...]) -> list[Path]:
    """`raw` itself, or the files below it with these endings, sorted. Raises ValueError when there is none."""
    if not raw.is_dir():
        return [raw]
    paths = sorted(p for p in raw.rglob("*") if p.name.endswith(endings) and p.is_file())
    if not paths:
        raise ValueError(f"{source}: {raw} has no file that ends in {', '.join(endings)}")
    return paths


def lines(path: Path) -> Iterator[str]:
    """Lines of a UTF-8 text, plain or .gz, without their ends. Raises ValueError naming file and line, OSError."""
    number = 0
    try:
        with _binary(path) as file:
            for number, line in enumerate(file, 1):
                # Only a file's first line may carry the byte order mark.
                yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}, line {number}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}, after line {number}: not a whole gzip file ({error})") from error


def require_items(source: str, items: Iterable[T], raw: Path | None) -> Iterator[T]:
    """The items as they come. Raises ValueError at the end when there was none."""
    nothing = True
    for item in items:
        nothing = False
        yield item
    if nothing:
        raise ValueError(f"{source}: there is nothing in {raw or 'what was fetched'}")


def _binary(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
