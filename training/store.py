"""Prepared rows on disk: written as they come, read memory-mapped, the folder complete or not there at all.

    FOLDER/train, FOLDER/val        packed rows, as `datasets.save_to_disk` writes them
    FOLDER/choices/train, …/val     a prompt and up to 20 replies, the true one last
    FOLDER/tokenizer, FOLDER/dataset_card.json, FOLDER/lengths.png

Knows nothing of where rows come from.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value
from datasets.arrow_writer import ArrowWriter

ROWS = Features(
    {
        "input_ids": List(Value("int32")),
        "labels": List(Value("int32")),
        "position_ids": List(Value("int32")),
        "length": Value("int32"),
        "source": Value("string"),
    }
)
CHOICES = Features(
    {
        "prompt": List(Value("int32")),
        "replies": List(List(Value("int32"))),
        "length": Value("int32"),
        "source": Value("string"),
    }
)
LONGEST_REPLY = 64  # tokens: a longer one is no fair choice by mean likelihood
TABLES = {"train": ROWS, "val": ROWS, "choices/train": CHOICES, "choices/val": CHOICES}


class Writer:
    """Appends rows to tables; nothing but a small buffer stays in memory."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        self.writers: dict[str, ArrowWriter] = {}

    def write(self, table: str, row: dict[str, Any]) -> None:
        """Append one row to `table` (a key of TABLES)."""
        if table not in self.writers:
            path = self.folder / "arrow" / f"{table.replace('/', '-')}.arrow"
            path.parent.mkdir(parents=True, exist_ok=True)
            self.writers[table] = self.stack.enter_context(
                ArrowWriter(path=str(path), features=TABLES[table], writer_batch_size=500)
            )
        self.writers[table].write(row)

    def finish(self) -> None:
        """From the running files to `save_to_disk` folders."""
        for table, writer in self.writers.items():
            writer.finalize()
            path = self.folder / "arrow" / f"{table.replace('/', '-')}.arrow"
            Dataset.from_file(str(path)).save_to_disk(self.folder / table)
        self.writers = {}
        shutil.rmtree(self.folder / "arrow", ignore_errors=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[tuple[Path, Writer]]:
    """A folder to write into and finish; what it holds is put in place when the block ends well.

    Only what preparing writes is ever replaced: a model trained into the same folder stays.
    Raises ValueError for a folder that holds something else and no prepared data.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "dataset_card.json").is_file():
        raise ValueError(f"{folder} exists and holds no prepared data: name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with ExitStack() as stack:
            writer = Writer(part, stack)
            yield part, writer
        _replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _replace(part: Path, folder: Path) -> None:
    """The card goes first and comes last: a folder without it is not whole."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_card.json").unlink(missing_ok=True)
    for name in ("train", "val", "choices", "tokenizer", "lengths.png", "dataset_card.json"):
        old, new = folder / name, part / name
        if old.is_dir():
            shutil.rmtree(old)
        if new.exists():
            os.replace(new, old)


def load(folder: Path, table: str) -> Dataset:
    """A table, memory-mapped. Raises ValueError naming the remedy."""
    if not ((folder / "dataset_card.json").is_file() and (folder / table / "dataset_info.json").is_file()):
        raise ValueError(f"{folder} has no {table}: run training.prepare with --out {folder} first")
    return Dataset.load_from_disk(str(folder / table))


def longest_row(rows: Dataset) -> int:
    """Tokens of the longest row, or of a choice's prompt with its longest reply."""
    return int(max(rows.with_format("numpy")["length"][:]))
