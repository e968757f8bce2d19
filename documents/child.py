"""The process that reads one file, so that a hostile or huge one harms nothing else: limits first, then a loader.

`python -m documents.child KIND PATH MAX_PAGES MAX_CHARACTERS SECONDS` prints JSON lines: {"page", "of", "text"} each,
or {"error": text}. Knows what can be wrong with a file; nothing of who gave it.
"""

import csv
import json
import os
import resource
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from documents import community

MEMORY = 3 * 2**30  # bytes of address space
STYLES = 10_000_000  # bytes of a Word document's fonts, styles and the like
MARKUP = 5  # characters of XML in a Word document to each that is read, at most
COLUMNS = 500  # of a CSV: a row of more is no text that anybody asks about
PROTECTED = "is protected by a password: save it without one and attach it again."
BROKEN = "is damaged or cut short and cannot be read: save it anew, or get it once more."


class UnreadableFileError(ValueError):
    """What is wrong with the file, as the end of a sentence that begins with its name."""


def main(arguments: list[str]) -> None:
    """Read the file that the arguments name."""
    kind, path, pages, characters, seconds = arguments[0], Path(arguments[1]), *map(int, arguments[2:])
    limit_resources(seconds)
    try:
        for page in read(path, kind, pages, characters):
            print(json.dumps(page), flush=True)
    except UnreadableFileError as error:
        print(json.dumps({"error": str(error)}), flush=True)
    except MemoryError:
        print(json.dumps({"error": "takes more memory to read than one file may have: attach a smaller part of it."}))


def limit_resources(seconds: int) -> None:
    """From now on this process has so much memory and processor time, and goes after everybody else."""
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read(path: Path, kind: str, pages: int, characters: int) -> Iterator[dict[str, Any]]:
    """The pages. Raises UnreadableFileError."""
    if kind == "docx":
        check_archive(path, characters)
    encoding = community.ENCODING if kind in {"pdf", "docx"} else detect_encoding(path)
    if kind == "csv":
        check_columns(path, encoding)
    total = 0
    for document in load_documents(path, kind, encoding):
        of = document.metadata.get("total_pages", 1)
        if of > pages:
            raise UnreadableFileError(
                f"has {of:,} pages; at most {pages:,} are read (DOCUMENTS_MAX_PAGES). Attach a part of it."
            )
        total += len(document.page_content)
        if total > characters:
            raise UnreadableFileError(
                f"holds more than {characters:,} characters (DOCUMENTS_MAX_CHARACTERS). Attach a part of it."
            )
        yield {"page": document.metadata.get("page", 0) + 1, "of": of, "text": document.page_content}


def load_documents(path: Path, kind: str, encoding: str) -> Iterator[Any]:
    """What the loader gives. Raises UnreadableFileError for its failures."""
    failures: dict[str, str] = {"password": PROTECTED}
    try:
        yield from community.load(path, kind, encoding)
    except (MemoryError, UnreadableFileError):
        raise
    except Exception as error:  # each reader has its own kinds
        problem = f"{error} {error.__cause__ or ''}".lower()
        raise UnreadableFileError(next((text for word, text in failures.items() if word in problem), BROKEN)) from error


def check_archive(path: Path, characters: int) -> None:
    """Raises UnreadableFileError for an archive that is none, or that grows beyond all measure when it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(each.file_size for each in archive.infolist() if each.filename.endswith((".xml", ".rels")))
            names = set(archive.namelist())
    except zipfile.BadZipFile as error:
        raise UnreadableFileError(BROKEN) from error
    if size > STYLES + MARKUP * characters:
        raise UnreadableFileError(
            f"would unpack to {size / 1e6:,.0f} MB of markup, too much for what is read. Attach a part of it."
        )
    if "word/document.xml" not in names:
        raise UnreadableFileError("is no Word document inside, though it is named like one. Save it as DOCX.")


def detect_encoding(path: Path) -> str:
    """The encoding of a text. Raises UnreadableFileError for what is neither UTF-8 nor UTF-16 with its mark."""
    data = path.read_bytes()
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else community.ENCODING
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            f"is not UTF-8 (byte {error.start:,}): save it so, or convert it with iconv."
        ) from error
    return encoding


def check_columns(path: Path, encoding: str) -> None:
    """Raises UnreadableFileError for a table that is too wide or no table."""
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding=encoding, newline="") as file:
        try:
            for number, row in enumerate(csv.reader(file), 1):
                if len(row) > COLUMNS:
                    raise UnreadableFileError(
                        f"has {len(row):,} columns in row {number}; at most {COLUMNS} are read. Attach fewer of them."
                    )
        except csv.Error as error:
            raise UnreadableFileError(f"is no CSV that can be read ({error}). Save it anew.") from error


if __name__ == "__main__":
    main(sys.argv[1:])
