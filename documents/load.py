"""A file's parts as text, read by a process of its own. Knows limits and that process; nothing of who asks.

The reading goes on beside replies: another process has its own interpreter lock, and goes after everybody else.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import IO, Any

from documents.encoding import mark_utf8
from documents.errors import DocumentError
from documents.kind import SNIFF_BYTES, Kind, detect_kind, display_name
from documents.part import Part, Unread, format_pages, part_from_json
from documents.scan.recognizer import missing_packages
from documents.settings import DocumentSettings
from settings import ROOT, install_hint

TEXTS = {"text", "csv", "html"}  # kinds whose bytes are letters
PICTURED = {"pdf", "picture"}  # kinds in which there may be pictures of text
INSTALL = "pip install -r requirements-scans.txt"
ProgressCallback = Callable[[int, int], None]
PartCallback = Callable[[Part], None]
ENVIRONMENT = {  # no key, no address
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MALLOC_ARENA_MAX": "2",  # threads that read pictures share memory that was given back
    "MALLOC_MMAP_THRESHOLD_": "4194304",  # bytes from which on it goes back to the system at once
}


@dataclass(frozen=True)
class Loaded:
    """The parts of a file; a single one of a file whose kind has none."""

    name: str
    kind: Kind
    parts: list[Part]

    @property
    def notice(self) -> str | None:
        """What is missing from it, in a line for people; None where all of it was read."""
        notices = [describe_unread(pages, why) for why in Unread if (pages := self._unread(why))]
        return f"{self.name}: {' '.join(notices)} The rest was kept." if notices else None

    def _unread(self, why: Unread) -> list[int]:
        return [part.page or 1 for part in self.parts if part.unread is why]


def describe_unread(pages: list[int], why: Unread) -> str:
    """Which pages could not be read, why not, and what to do."""
    if why is Unread.FONT:
        return (
            f"{format_pages(pages)} could not be read, since the font does not say which letters its signs stand for. "
            "Run OCR over the file and attach it again to have all."
        )
    return f"{format_pages(pages)} could not be read, since only pictures are there ({how_to_install()})."


def how_to_install() -> str:
    """What brings the reading of pictures."""
    return install_hint("what reads those", f"run `{INSTALL}`", "EXTRAS=scans")


def check_file(name: str, data: bytes, limits: DocumentSettings) -> Kind:
    """What a file is, as far as its size and first bytes tell. Raises DocumentError where it cannot be read."""
    if len(data) > limits.max_bytes:
        raise DocumentError(too_large_message(name, len(data), limits))
    kind = detect_kind(name, data[:SNIFF_BYTES])
    if kind.name == "picture" and missing_packages():
        raise DocumentError(f"{name} is a picture of words ({how_to_install()}).")
    return kind


def load(
    name: str,
    data: bytes,
    limits: DocumentSettings,
    on_progress: ProgressCallback = lambda done, of: None,
    charset: str | None = None,
    done: Mapping[int, Part] | None = None,
    on_part: PartCallback = lambda part: None,
) -> Loaded:
    """The parts of a file; `on_progress` is called with pages done and their number. Raises DocumentError.

    `charset`: the encoding of a text as whoever sent it names it, which goes before what the file says of itself.
    `done`: pages that were read from pictures before, which are not read again; `on_part` is called with each part.
    """
    name = display_name(name)
    kind = check_file(name, data, limits)
    if charset is not None and kind.name in TEXTS:
        data = mark_utf8(data, charset)
    with tempfile.TemporaryFile() as file:  # without a name: nothing is left of it, however this process ends
        file.write(data)
        file.flush()
        parts = dict(done or {})
        for part in _read_parts(name, kind, file, limits, tuple(parts)):
            parts[part.page or len(parts) + 1] = part
            on_part(part)
            on_progress(len(parts), part.of)
    found = [parts[number] for number in sorted(parts)]
    if not any(part.place for part in found):
        found = [Part("\n\n".join(part.text for part in found))]
    if not any(part.text.strip() for part in found):
        raise DocumentError(f"{name} holds {_without_words(kind)}")
    return Loaded(name, kind, [replace(p, text=p.text.strip()) if p.place else p for p in found])


def _without_words(kind: Kind) -> str:
    """What a file holds in which no word was found, and what to do."""
    if kind.name not in PICTURED:
        return "no words: check what is in it, and attach it again."
    if missing_packages():
        return f"no text, only pictures of it: run OCR over it first, or have it read here ({how_to_install()})."
    return "no text, and none was found in its pictures: check what is in it, and attach it again."


def too_large_message(name: str, size: int, limits: DocumentSettings) -> str:
    """The message for a file of `size` bytes, which is beyond the limit."""
    return (
        f"{name} has {size / 1e6:,.1f} MB; at most {limits.max_bytes / 1e6:,.1f} MB are read (DOCUMENTS_MAX_BYTES). "
        "Attach a part of it."
    )


def _read_parts(
    name: str, kind: Kind, file: IO[bytes], limits: DocumentSettings, done: tuple[int, ...]
) -> Iterator[Part]:
    """The parts as the process gives them: of what has pages in whatever order. Raises DocumentError."""
    values = json.dumps(asdict(limits.of_file(done)))
    command = [sys.executable, "-m", "documents.child", kind.name, "/dev/stdin", values]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                event: dict[str, Any] = json.loads(line)
                if "error" in event:
                    raise DocumentError(f"{name} {event['error']}")
                yield part_from_json(event)
        finally:
            process.kill()
    if process.returncode == -signal.SIGXCPU:
        raise DocumentError(
            f"{name} takes more than {limits.seconds} s to read (DOCUMENTS_SECONDS){_page_time(kind, limits)}; "
            "nothing of it was kept. Attach a part of it."
        )
    if process.returncode:
        raise DocumentError(f"{name}: its reader broke off over it, so nothing of it was kept. Save it anew.")


def _page_time(kind: Kind, limits: DocumentSettings) -> str:
    """The bound of one page, where one may have been the reason."""
    if kind.name not in PICTURED or missing_packages():
        return ""
    return f", or one of its pages more than {limits.scan_seconds} s (DOCUMENTS_SCAN_SECONDS)"
