"""Excel workbooks of 2007 and later, sheet by sheet. Knows which cells a text stands in; nothing of how they look."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from documents.office.package import Package
from documents.office.workbook import Workbook, column_letters
from documents.part import Limits, Part
from documents.table import Row, table_parts

MAX_NAME = 100  # characters of a sheet's name; Excel has 31


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The rows of each sheet, as many in a part as a passage holds, then its comments. Raises UnreadableFileError."""
    workbook = Workbook(Package(path, limits, "s:workbook"))
    for sheet in workbook.sheets():
        yield from table_parts(workbook.rows(sheet), partial(_place, sheet.name))
        for reference, text in workbook.comments(sheet).items():
            yield Part(text, place=f"comment on {_quote(sheet.name)}!{reference}")


def _place(sheet: str, rows: Sequence[Row]) -> str:
    """The range of cells, as a spreadsheet writes it."""
    columns = [column for row in rows for column in row.cells]
    first = f"{column_letters(min(columns))}{rows[0].number}"
    last = f"{column_letters(max(columns))}{rows[-1].number}"
    return f"{_quote(sheet)}!{first}" if first == last else f"{_quote(sheet)}!{first}:{last}"


def _quote(sheet: str) -> str:
    """A sheet's name as it stands in a reference."""
    name = sheet[:MAX_NAME]
    return name if name.replace("_", "").isalnum() else "'" + name.replace("'", "''") + "'"
