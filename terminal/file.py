"""Files that a command is given: read and made ready to be searched, and nothing of them kept. Knows paths; no store.

What reads and searches is imported when a command has a file: the others start without it.
"""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from settings import SettingsError
from terminal.screen import Screen

if TYPE_CHECKING:
    from langchain_core.documents import Document

    from documents.search import Index
    from documents.settings import DocumentSettings


def read_file(path: Path, limits: "DocumentSettings") -> bytes:
    """The bytes of a file; too many are not even read. Raises SettingsError."""
    from documents.load import too_large_message

    if "\0" in str(path):
        raise SettingsError("A file's name has no zero byte: name a file that can be read.")
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{path} is {'a folder' if path.is_dir() else 'no file'}: name a file.")
        if status.st_size > limits.max_bytes:
            raise SettingsError(too_large_message(path.name, status.st_size, limits))
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}. Name a file that can be read.") from error


def build_index(paths: Sequence[Path], screen: Screen) -> "Index":
    """The search index over all of these files. Raises SettingsError."""
    from documents.embedding import embed
    from documents.errors import DocumentError
    from documents.progress import Progress
    from documents.search import Index
    from documents.settings import DocumentSettings

    limits = DocumentSettings.read()
    files = [(path.name, read_file(path, limits)) for path in paths]  # before any of them is read for a minute
    try:
        passages = [
            passage
            for number, (name, data) in enumerate(files)
            for passage in _split_file(number, name, data, limits, screen)
        ]
        progress = Progress(", ".join(name for name, _ in files))
        with screen.reading(lambda: progress.label):
            return Index(passages, embed([passage.page_content for passage in passages], progress.set_passages))
    except DocumentError as error:
        raise SettingsError(str(error)) from error


def _split_file(
    number: int, name: str, data: bytes, limits: "DocumentSettings", screen: Screen
) -> Iterator["Document"]:
    from langchain_core.documents import Document

    from documents.kind import counted_units
    from documents.load import load
    from documents.progress import Progress
    from documents.split import split_parts

    progress = Progress(name, unit=counted_units(name))
    with screen.reading(lambda: progress.label):
        loaded = load(name, data, limits, progress.set_pages)
    if loaded.notice is not None:
        screen.print_note(loaded.notice)
    for at, piece in enumerate(split_parts(loaded.parts)):
        position = {name: value for name, value in asdict(piece).items() if name != "text"}
        yield Document(piece.text, metadata={"file": loaded.name, **position, "document": str(number), "passage": at})
