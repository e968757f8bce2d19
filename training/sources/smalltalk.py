"""Everyday openings with their answers, our own: training/smalltalk.txt, wordings drawn block by block."""

import random
from collections.abc import Iterator
from pathlib import Path

from training.dialogue import Dialogue
from training.sources._files import lines

LICENCE = "this repository's"
FILE = Path(__file__).parents[1] / "smalltalk.txt"
COPIES = 60


def read(raw: Path | None) -> Iterator[Dialogue]:
    """COPIES drawings of each block of the file (U: and A: lines, wordings split by " | "). Raises ValueError."""
    path, rng = raw or FILE, random.Random(1)
    for block in _blocks(path):
        for _ in range(COPIES):
            yield Dialogue("smalltalk", tuple(rng.choice(wordings).strip() for wordings in block))


def _blocks(path: Path) -> Iterator[list[list[str]]]:
    block: list[list[str]] = []
    for number, line in enumerate([*lines(path), ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if block:
                yield block
            block = []
        elif line.startswith("UA"[len(block) % 2] + ": "):
            block.append(line[3:].split(" | "))
        else:
            raise ValueError(f"{path}, line {number}: turns go U: then A: by turns, not {line[:20]!r}")
