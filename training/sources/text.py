"""Plain text in UTF-8: a file or a folder of .txt, .md and .txt.gz, in paragraphs of a few thousand characters.

Knows no format: lines stay as they are.
"""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.dialogue import Text
from training.sources._files import lines, matching_files, require_items

LICENCE = "the owner's"
ENDINGS = (".txt", ".md", ".txt.gz", ".md.gz")
ENOUGH = 4_000  # characters, after which a text ends with its paragraph
MOST = 8_000  # and with its line


def read(raw: Path | None) -> Iterator[Text]:
    """Groups of paragraphs, none across two files. Raises ValueError naming file and line, OSError."""
    if raw is None:
        raise ValueError("text: name your file or folder of plain text: --raw text=PATH (.txt, .md, .txt.gz)")
    groups = (group for path in matching_files("text", raw, ENDINGS) for group in _groups(lines(path)))
    yield from require_items("text", (Text("text", group) for group in groups), raw)


def _groups(lines: Iterable[str]) -> Iterator[str]:
    """At most MOST characters beside the last line's."""
    held: list[str] = []
    size = 0
    for line in _short(lines):
        if size > (MOST if line else ENOUGH):
            yield "\n".join(held).strip("\n")
            held, size = [], 0
        # Blank lines at the start and beside another one say nothing.
        if line or (held and held[-1]):
            held.append(line)
            size += len(line) + 1
    if held:
        yield "\n".join(held).strip("\n")


def _short(lines: Iterable[str]) -> Iterator[str]:
    """The lines without trailing space; a line of more than MOST characters in pieces."""
    for line in lines:
        line = line.rstrip()
        yield from textwrap.wrap(line, MOST) if len(line) > MOST else [line]
