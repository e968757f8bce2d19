"""A file's pages as text, read by a process of its own. Knows limits and that process; nothing of who asks.

The reading goes on beside replies: another process has its own interpreter lock, and goes after everybody else.
"""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from documents.errors import DocumentError
from documents.kind import SNIFF_BYTES, Kind, detect_kind, display_name
from documents.settings import DocumentSettings
from settings import ROOT

ProgressCallback = Callable[[int, int], None]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}  # no key, no address


@dataclass(frozen=True)
class Loaded:
    """The texts of a file's pages, one of a file that has none."""

    name: str
    kind: Kind
    pages: list[str]


def load(
    name: str, data: bytes, limits: DocumentSettings, on_progress: ProgressCallback = lambda done, of: None
) -> Loaded:
    """The pages of a file; `on_progress` is called with pages done and their number. Raises DocumentError."""
    name = display_name(name)
    if len(data) > limits.max_bytes:
        raise DocumentError(too_large_message(name, len(data), limits))
    kind = detect_kind(name, data[:SNIFF_BYTES])
    with tempfile.TemporaryFile() as file:  # without a name: nothing is left of it, however this process ends
        file.write(data)
        file.flush()
        pages = _pages(name, kind, file, limits, on_progress)
    texts = [page.replace("\ufffe\n", "").replace("\ufffe", "") for page in pages]  # PDFium's hyphen at a line's end
    texts = [text.strip() for text in texts] if kind.paged else ["\n\n".join(texts)]  # a page begins with a word
    if not any(text.strip() for text in texts):
        why = (
            "no text, only pictures of it: run OCR over it first"
            if kind.name == "pdf"
            else "no words: check what is in it"
        )
        raise DocumentError(f"{name} holds {why}, and attach it again.")
    return Loaded(name, kind, texts)


def too_large_message(name: str, size: int, limits: DocumentSettings) -> str:
    """The message for a file of `size` bytes, which is beyond the limit."""
    return (
        f"{name} has {size / 1e6:,.1f} MB; at most {limits.max_bytes / 1e6:,.1f} MB are read (DOCUMENTS_MAX_BYTES). "
        "Attach a part of it."
    )


def _pages(
    name: str, kind: Kind, file: IO[bytes], limits: DocumentSettings, on_progress: ProgressCallback
) -> list[str]:
    numbers = (limits.max_pages, limits.max_characters, limits.seconds)
    command = [sys.executable, "-m", "documents.child", kind.name, "/dev/stdin", *map(str, numbers)]
    pages: list[str] = []
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
                pages.append(event["text"])
                on_progress(event["page"], event["of"])
        finally:
            process.kill()
    if process.returncode == -signal.SIGXCPU:
        raise DocumentError(
            f"{name} takes more than {limits.seconds} s to read (DOCUMENTS_SECONDS); nothing of it was kept. "
            "Attach a part of it."
        )
    if process.returncode:
        raise DocumentError(f"{name}: its reader broke off over it, so nothing of it was kept. Save it anew.")
    return pages
