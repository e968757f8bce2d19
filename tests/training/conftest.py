"""A few dialogues, prepared once for all who train on them."""

import json
from pathlib import Path
from typing import Any

import pytest

from training import prepare

WORDS = ["dogs", "cats", "rain", "tea", "music", "books", "boats", "maps", "trees", "snow", "bread", "stars"]


def dialogue(number: int) -> dict[str, Any]:
    """A different human dialogue for every number below 1,728."""
    first, second, third = WORDS[number % 12], WORDS[number // 12 % 12], WORDS[number // 144 % 12]
    turns = [f"do you like {first}?", f"yes, {first} and {second} are nice", f"why {third}?", f"{third} make me smile"]
    personas = [[f"I have {first}."], [f"I love {second}."]] if number % 3 else []
    return {"source": "self-dialogue" if number % 2 else "chat", "turns": turns, "personas": personas}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """As JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(raw: Path, out: Path, *options: str) -> int:
    """training.prepare on a file of dialogues, small."""
    fixed = ["--source", "dialogues", "--raw", str(raw), "--out", str(out), "--vocab-size", "400", "--max-length", "96"]
    return prepare.main([*fixed, *options])


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data: 300 dialogues, rows of at most 96 tokens."""
    folder = tmp_path_factory.mktemp("prepared")
    raw = write(folder / "raw.jsonl", [dialogue(i) for i in range(300)])
    assert run(raw, folder / "data", "--val", "0.1") == 0
    return folder / "data"
