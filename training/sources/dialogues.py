"""JSON lines of dialogues, plain or gzipped: `source`, `turns`, and `personas` where the speakers have them.

A user's own data take this form. `two_sided` may stand in a line; the human corpora known by name have it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.dialogue import Dialogue
from training.sources._files import lines, matching_files, require_items

LICENCE = "the owner's"
TWO_SIDED = {"self-dialogue", "synthetic-persona-chat", "topical-chat", "personas"}


def read(raw: Path | None) -> Iterator[Dialogue]:
    """Dialogues of a JSONL file, or of every one in a folder. Raises ValueError naming file and line."""
    if raw is None:
        raise ValueError("dialogues: name your file (JSON lines with source and turns): --raw dialogues=PATH")
    yield from require_items("dialogues", _every(raw), raw)


def _every(raw: Path) -> Iterator[Dialogue]:
    for path in matching_files("dialogues", raw, (".jsonl", ".jsonl.gz")):
        for number, line in enumerate(lines(path), 1):
            yield _dialogue(path, number, line)


def _dialogue(path: Path, number: int, line: str) -> Dialogue:
    try:
        row = json.loads(line)
        turns, personas = _texts(row["turns"]), tuple(_texts(p) for p in row.get("personas", ()))
        source = str(row["source"])
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}, line {number}: not a dialogue ({error!r})") from error
    if len(personas) not in (0, 2):
        raise ValueError(f"{path}, line {number}: {len(personas)} personas, where two speakers have two or none")
    return Dialogue(source, turns, personas, bool(row.get("two_sided", source in TWO_SIDED)))


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise TypeError("a list of texts is wanted")
    for value in values:
        value.encode()  # a lone surrogate is no text
    return tuple(v.strip() for v in values)
