"""A file's parts as text, read by a process of its own. Knows limits and that process; nothing of who asks.

The reading goes on beside replies: another process has its own interpreter lock, and goes after everybody else.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO

from documents.encoding import mark_utf8
from documents.errors import DocumentError
from documents.kind import SNIFF_BYTES, Kind, detect_kind, display_name
from documents.part import Part, format_pages
from documents.settings import DocumentSettings
from settings import ROOT

TEXTS = {"text", "csv", "html"}  # kinds whose bytes are letters
ProgressCallback = Callable[[int, int], None]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}  # no key, no address


@dataclass(frozen=True)
class Loaded:
    """The parts of a file; a single one of a file whose kind has none."""

    name: str
    kind: Kind
    parts: list[Part]

    @property
    def notice(self) -> str | None:
        """What is missing from it, in a line for people; None where all of it was read."""
        unread = [part.page or 1 for part in self.parts if part.is_unread]
        if not unread:
            return None
        return (
            f"{self.name}: {format_pages(unread)} could not be read, since the font does not say which letters its "
            "signs stand for. The rest was kept. Run OCR over the file and attach it again to have all."
        )


def load(
    name: str,
    data: bytes,
    limits: DocumentSettings,
    on_progress: ProgressCallback = lambda done, of: None,
    charset: str | None = None,
) -> Loaded:
    """The parts of a file; `on_progress` is called with pages done and their number. Raises DocumentError.

    `charset`: the encoding of a text as whoever sent it names it, which goes before what the file says of itself.
    """
    name = display_name(name)
    if len(data) > limits.max_bytes:
        raise DocumentError(too_large_message(name, len(data), limits))
    kind = detect_kind(name, data[:SNIFF_BYTES])
    if charset is not None and kind.name in TEXTS:
        data = mark_utf8(data, charset)
    with tempfile.TemporaryFile() as file:  # without a name: nothing is left of it, however this process ends
        file.write(data)
        file.flush()
        parts = _read_parts(name, kind, file, limits, on_progress)
    if not any(part.place for part in parts):
        parts = [Part("\n\n".join(part.text for part in parts))]
    if not any(part.text.strip() for part in parts):
        why = (
            "no text, only pictures of it: run OCR over it first"
            if kind.name == "pdf"
            else "no words: check what is in it"
        )
        raise DocumentError(f"{name} holds {why}, and attach it again.")
    return Loaded(name, kind, [replace(p, text=p.text.strip()) if p.place else p for p in parts])


def too_large_message(name: str, size: int, limits: DocumentSettings) -> str:
    """The message for a file of `size` bytes, which is beyond the limit."""
    return (
        f"{name} has {size / 1e6:,.1f} MB; at most {limits.max_bytes / 1e6:,.1f} MB are read (DOCUMENTS_MAX_BYTES). "
        "Attach a part of it."
    )


def _read_parts(
    name: str, kind: Kind, file: IO[bytes], limits: DocumentSettings, on_progress: ProgressCallback
) -> list[Part]:
    numbers = (limits.max_pages, limits.max_characters, limits.seconds)
    command = [sys.executable, "-m", "documents.child", kind.name, "/dev/stdin", *map(str, numbers)]
    parts: list[Part] = []
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
                event = json.loads(line)
                if "error" in event:
                    raise DocumentError(f"{name} {event['error']}")
                part = Part(**event)
                parts.append(part)
                on_progress(part.page or 1, part.of)
        finally:
            process.kill()
    if process.returncode == -signal.SIGXCPU:
        raise DocumentError(
            f"{name} takes more than {limits.seconds} s to read (DOCUMENTS_SECONDS); nothing of it was kept. "
            "Attach a part of it."
        )
    if process.returncode:
        raise DocumentError(f"{name}: its reader broke off over it, so nothing of it was kept. Save it anew.")
    return parts
