"""Scanned pages read by us and by Debian's tesseract: wrong characters, pages a minute, memory.

Pages are made by code (benchmarks/page_pictures.py): eight fonts, three sizes, clean, skewed, noisy and photographed,
in English, German and French. Both read the same JPEG files; tesseract is told the language of each. Needs
requirements-scans.txt and `apt install tesseract-ocr tesseract-ocr-deu tesseract-ocr-fra fonts-liberation
fonts-crosextra-carlito`.

Examples:
  python -m benchmarks.scans
  python -m benchmarks.scans --points 10 --only ours
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.page_pictures import KINDS, PagePicture, font_files, make_page, scanned_pdf
from documents.load import load
from documents.settings import DocumentSettings
from settings import ROOT
from training.command import parser, require_positive, run

QUESTIONS, OWN = ROOT / "tests" / "documents" / "questions", ROOT / "benchmarks" / "embedders"
TEXTS = {
    "eng": [QUESTIONS / "alice.txt", OWN / "lease.txt", QUESTIONS / "moby-dick.txt"],
    "deu": [OWN / "hausordnung.txt"],
    "fra": [OWN / "gite.txt"],
}
LANGUAGES = ("eng", "deu", "eng", "fra")
NOISY = {"noisy", "photographed"}
SAME = str.maketrans("‘’‚“”„«»–—‐‑", '\'\'\'"""""----')  # signs that no reader can tell apart, as one sets them


@dataclass(frozen=True)
class Read:
    """What one of both made of all pages, and what it took."""

    texts: list[str]
    seconds: float  # of processor time
    megabytes: float


def pages(points: Sequence[float]) -> list[tuple[PagePicture, str]]:
    """The pages, each with its language. Raises OSError, ValueError where fonts are missing."""
    fonts = font_files()
    if len(fonts) < 8:
        raise ValueError(f"only {len(fonts)} of 8 fonts are here: apt install fonts-liberation fonts-crosextra-carlito")
    made, languages, seed = [], cycle(LANGUAGES), 0
    for kind in KINDS:
        for name, font in fonts.items():
            for size in points:
                seed, language = seed + 1, next(languages)
                made.append((make_page(_text(language, seed), name, font, size, kind, seed), language))
    return made


def _text(language: str, seed: int) -> str:
    """A piece of a text, another one for each page."""
    paths = TEXTS[language]
    words = paths[seed % len(paths)].read_text(encoding="utf-8").split()
    begin = seed * 97 % max(1, len(words) - 400)
    return " ".join((words[begin:] + words)[:700])


def read_ours(made: Sequence[PagePicture]) -> Read:
    """All pages as one scanned PDF, through the process that reads files. Raises DocumentError."""
    data, before = scanned_pdf([page.data for page in made]), _processor_time()
    settings = DocumentSettings.read().model_copy(update={"max_bytes": len(data)})  # all pages are 75 MB
    loaded = load("scan.pdf", data, settings)
    return Read([part.text for part in loaded.parts], _processor_time() - before, _largest_child())


def read_tesseract(made: Sequence[PagePicture], languages: Sequence[str]) -> Read:
    """All pages as files, one on each core. Raises OSError."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.jpg" for number in range(len(made))]
        for path, page in zip(paths, made, strict=True):
            path.write_bytes(page.data)
        before = _processor_time()
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            texts = list(threads.map(_tesseract, paths, languages))
        return Read(texts, _processor_time() - before, _largest_child())


def _tesseract(path: Path, language: str) -> str:
    command = ["tesseract", str(path), "-", "-l", language]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_THREAD_LIMIT": "1"})
    if done.returncode:
        raise OSError(f"tesseract: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def _processor_time() -> float:
    """Seconds that processes which have ended have computed: whoever else is busy here does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _largest_child() -> float:
    """The most memory that a process which has ended had, in MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def error_rate(said: str, right: str) -> float:
    """Characters to insert, drop or change, by those that are right; runs of white space are one space."""
    found, wanted = _normal(said), _normal(right)
    return edit_distance(found, wanted) / max(1, len(wanted))


def _normal(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text).translate(SAME)).strip()


def edit_distance(one: str, other: str) -> int:
    """Levenshtein's."""
    codes = np.array([ord(letter) for letter in other], np.int32)
    places = np.arange(len(other) + 1)
    row = places.copy()
    for number, letter in enumerate(one, 1):
        changed = row[:-1] + (codes != ord(letter))
        best = np.concatenate(([number], np.minimum(changed, row[1:] + 1)))
        row = np.minimum.accumulate(best - places) + places  # what is cheapest to insert from the left on
    return int(row[-1])


def rates(made: Sequence[PagePicture], read: Read) -> list[float]:
    """The error rate of each page."""
    return [error_rate(said, page.text) for said, page in zip(read.texts, made, strict=True)]


def groups(made: Sequence[PagePicture]) -> Iterator[tuple[str, Callable[[PagePicture], bool]]]:
    """The rows of the table: which pages count in each."""
    yield from ((kind, lambda page, kind=kind: page.kind == kind) for kind in KINDS)
    yield "noisy half", lambda page: page.kind in NOISY
    yield "clean half", lambda page: page.kind not in NOISY
    yield from ((f"{size:g} points", lambda p, s=size: p.points == s) for size in sorted({p.points for p in made}))
    yield from ((font, lambda page, font=font: page.font == font) for font in dict.fromkeys(p.font for p in made))
    yield "all", lambda page: True


def report(made: Sequence[PagePicture], reads: dict[str, Read]) -> dict[str, Any]:
    """The figures: error rates by group, pages a minute, memory."""
    each = {name: rates(made, read) for name, read in reads.items()}
    table = {}
    for group, belongs in groups(made):
        chosen = [at for at, page in enumerate(made) if belongs(page)]
        means = {name: statistics.mean(values[at] for at in chosen) for name, values in each.items()}
        table[group] = {"pages": len(chosen), **{name: round(100 * mean, 2) for name, mean in means.items()}}
    cores = os.cpu_count() or 1
    speeds = {name: round(60 * cores * len(made) / read.seconds, 1) for name, read in reads.items()}
    memory = {name: round(read.megabytes) for name, read in reads.items() if len(reads) == 1 or name == "ours"}
    return {"wrong characters, %": table, f"pages a minute, {cores} cores": speeds, "memory of one process, MB": memory}


def main() -> int:
    """The exit status."""
    options = parser("benchmarks.scans", __doc__)
    options.add_argument("--points", type=float, nargs="+", default=[8, 10, 12], help="sizes of letters")
    options.add_argument("--every", type=int, default=1, help="one of so many of the pages")
    options.add_argument("--only", choices=["ours", "tesseract"], help="one of both")
    args = options.parse_args()
    return run("scans", lambda: _measure(args))


def _measure(args: argparse.Namespace) -> None:
    require_positive(args, "points", "every")
    made = pages(args.points)[:: args.every]
    pictures, languages = [page for page, _ in made], [language for _, language in made]
    reads = dict[str, Read]()
    if args.only != "tesseract":
        reads["ours"] = read_ours(pictures)
    if args.only != "ours":
        reads["tesseract"] = read_tesseract(pictures, languages)
    print(json.dumps(report(pictures, reads), indent=2))


if __name__ == "__main__":
    sys.exit(main())
