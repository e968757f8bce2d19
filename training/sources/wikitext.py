"""WikiText-103: whole articles of Wikipedia, for language modelling, from the Hugging Face hub or from local files.

The tokenised form is undone. Where the older form hides a rare word as <unk>, the sentence that holds it is left out:
a paragraph without one is rare there, and the token itself must never be learnt.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.dialogue import Text
from training.sources import UnreachableError
from training.sources._files import lines, matching_files, require_items
from training.sources._spacing import restore_spacing

LICENCE = "CC BY-SA 3.0"
HUB = ("Salesforce/wikitext", "wikitext-103-raw-v1")
ENDINGS = (".txt", ".txt.gz", ".parquet", ".raw", ".tokens")
LONG = 20_000  # characters, after which an article goes on in a new text at its next section
LONGEST = 80_000  # and at its next paragraph
HEADING = re.compile(r"\s*(=(?: =)*) (.*?\S) (=(?: =)*)\s*$")
SENTENCE = re.compile(r"(?<= [.!?]) (?=\S)")
UNKNOWN = "<unk>"


def read(raw: Path | None) -> Iterator[Text]:
    """A text an article: the hub's training part, or local files. Raises ValueError, OSError, UnreachableError."""
    lines = _hub() if raw is None else _local(raw)
    yield from require_items("wikitext", (Text("wikitext", text) for text in _articles(lines)), raw)


def _hub() -> Iterator[str]:
    import httpx
    from datasets import load_dataset

    try:
        for row in load_dataset(*HUB, split="train", streaming=True):
            yield row["text"]
    except (OSError, httpx.HTTPError) as error:
        raise UnreachableError("wikitext", "/".join(HUB), error) from error


def _local(raw: Path) -> Iterator[str]:
    for path in matching_files("wikitext", raw, ENDINGS):
        yield from _rows(path) if path.suffix == ".parquet" else lines(path)


def _rows(path: Path) -> Iterator[str]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["text"]):
                yield from batch.column("text").to_pylist()
    except (pyarrow.ArrowInvalid, KeyError) as error:
        raise ValueError(f"{path}: not a parquet file with a column `text` ({error})") from error


def _articles(lines: Iterable[str]) -> Iterator[str]:
    """Headings stand as lines of their own, and only where text follows."""
    parts: list[str] = []
    above: list[tuple[int, str]] = []
    for line in lines:
        size = sum(map(len, parts))
        if heading := _heading(line):
            if parts and (heading[0] == 1 or size > LONG):
                yield "\n\n".join(parts)
                parts = []
            above = [h for h in above if h[0] < heading[0]] + [heading]
        elif text := _paragraph(line):
            if size > LONGEST:
                yield "\n\n".join(parts)
                parts = []
            parts += [title for _, title in above if UNKNOWN not in title] + [text]
            above = []
    if parts:
        yield "\n\n".join(parts)


def _heading(line: str) -> tuple[int, str] | None:
    """(1 for an article, 2 for a section, …; its words)."""
    match = HEADING.match(line)
    if match is None or match[1] != match[3]:
        return None
    return match[1].count("="), restore_spacing(match[2])


def _paragraph(line: str) -> str:
    return restore_spacing(" ".join(s for s in SENTENCE.split(line.strip()) if UNKNOWN not in s))
