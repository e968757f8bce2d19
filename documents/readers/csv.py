"""CSV: each row as lines of `column: value`, so that it is understood alone. Knows tables; nothing of their meaning."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from documents.encoding import read_text
from documents.part import Limits, Part, UnreadableFileError

COLUMNS = 500  # a row of more is no text that anybody asks about


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """A part for each row below the header. Raises UnreadableFileError."""
    csv.field_size_limit(2**31 - 1)
    text = read_text(path)
    try:
        rows = csv.reader(StringIO(text, newline=""))
        header = _check_row(next(rows, []), 1)
        for number, row in enumerate(rows, 2):
            values = zip(header, _check_row(row, number), strict=False)
            yield Part("\n".join(f"{name.strip()}: {value.strip()}" for name, value in values))
    except csv.Error as error:
        raise UnreadableFileError(f"is no CSV that can be read ({error}). Save it anew.") from error


def _check_row(row: list[str], number: int) -> list[str]:
    """The row. Raises UnreadableFileError for one that is too wide."""
    if len(row) > COLUMNS:
        raise UnreadableFileError(
            f"has {len(row):,} columns in row {number}; at most {COLUMNS} are read. Attach fewer of them."
        )
    return row
