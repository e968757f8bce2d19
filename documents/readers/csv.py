"""CSV, and what is called so: values parted by commas, semicolons, tabs or bars. Knows rows and cells; no meaning."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path

from documents.encoding import read_text
from documents.part import Limits, Part, UnreadableFileError
from documents.table import Row, table_parts

COLUMNS = 500  # a row of more is no text that anybody asks about
DELIMITERS = "\t;|,"  # of those that fit equally well the first: the last stands in numbers and sentences, too
SAMPLE = 100  # rows that tell which one it is
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n?', re.IGNORECASE)  # Excel's own way of saying it, in the first line


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The rows below the header, as many in a part as a passage holds. Raises UnreadableFileError."""
    csv.field_size_limit(2**31 - 1)
    text = read_text(path)
    told = SEPARATOR_LINE.match(text)
    text = text[told.end() :] if told else text
    yield from table_parts(_read_rows(text, told.group(1) if told else find_delimiter(text)), _place)


def find_delimiter(text: str) -> str:
    """The delimiter by which most rows have the same number of cells, more than one."""
    scores = {each: _regularity(text, each) for each in DELIMITERS}
    return max(DELIMITERS, key=lambda each: scores[each]) if any(scores.values()) else ","


def _regularity(text: str, delimiter: str) -> float:
    """The share of the first rows that have as many cells as most have."""
    try:
        rows = [row for row in islice(_parse(text, delimiter), SAMPLE) if any(map(str.strip, row))]
    except csv.Error:
        return 0.0
    counts = Counter(len(row) for row in rows if len(row) > 1)
    return counts.most_common(1)[0][1] / len(rows) if counts else 0.0


def _parse(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=delimiter != "\t")


def _read_rows(text: str, delimiter: str) -> Iterator[Row]:
    """Rows as a spreadsheet numbers them. Raises UnreadableFileError."""
    try:
        for number, row in enumerate(_parse(text, delimiter), 1):
            if len(row) > COLUMNS:
                raise UnreadableFileError(
                    f"has {len(row):,} columns in row {number}; at most {COLUMNS} are read. Attach fewer of them."
                )
            cells = {at: value.strip() for at, value in enumerate(row)}
            yield Row(number, {at: value for at, value in cells.items() if value}, len(row))
    except csv.Error as error:
        raise UnreadableFileError(f"is no CSV that can be read ({error}). Save it anew.") from error


def _place(rows: Sequence[Row]) -> str:
    first, last = rows[0].number, rows[-1].number
    return f"row {first}" if first == last else f"rows {first}-{last}"
