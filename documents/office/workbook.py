"""An Excel workbook: its sheets in order, and their cells as a spreadsheet shows them. Knows cells; nothing of headers.

Hidden sheets are left out. A formula has the value that it had when the file was saved. Cells are read as they come,
those that are there: a sheet that says it has a million columns costs nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, iterparse

from documents.office.namespace import shorten
from documents.office.number_format import BUILT_IN, GENERAL, format_number
from documents.office.package import Package
from documents.table import Row

REFERENCE = re.compile(r"([A-Z]{1,7})([0-9]{1,7})", re.IGNORECASE)
MERGED = re.compile(rb'mergeCell\s[^>]*?ref="([A-Z]+[0-9]+):([A-Z]+[0-9]+)"')
CODE = re.compile("_x([0-9A-Fa-f]{4})_")  # a letter that XML cannot hold
REPEATED = 100  # characters of a cell that is merged over several rows: so short a one is read with each of them
MERGES = 10_000  # merged cells of a sheet that are looked at


@dataclass(frozen=True)
class Sheet:
    """A sheet's name, and the part of the file that it is."""

    name: str
    part: str


@dataclass
class Merges:
    """Merged cells of a sheet: how wide they are, by row and column, and which go on below."""

    widths: dict[int, dict[int, int]] = field(default_factory=dict)
    columns: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # first row: column and last row
    open: dict[int, tuple[int, str]] = field(default_factory=dict)  # column: last row and text


class Workbook:
    """What is shared by the sheets of a workbook: texts, formats and the first day of its calendar."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._parts = {each.id: each for each in package.relationships(package.main)}
        properties = package.root.find("s:workbookPr")
        self.is_1904 = properties is not None and properties.get("date1904", "") in {"1", "true"}
        self._texts = list(self._read_texts())
        self._formats = self._read_formats()

    def sheets(self) -> Iterator[Sheet]:
        """The sheets that can be seen, in order."""
        sheets = self._package.root.find("s:sheets")
        for each in sheets if sheets is not None else ():
            part = self._parts.get(each.get("r:id", ""))
            if each.get("state", "visible") == "visible" and part is not None and part.kind == "worksheet":
                yield Sheet(each.get("name", ""), part.target)

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The rows of a sheet that hold something."""
        merges = self._read_merges(sheet)
        number = 0
        for element in _stream(self._package, sheet.part, "s:row"):
            given = element.get("r", "")
            number = int(given) if given.isdecimal() else number + 1
            cells = dict(self._cells(element))
            _fill_merged(merges, number, cells)
            if cells:
                ordered = {column: cells[column] for column in sorted(cells)}
                yield Row(number, ordered, spans=merges.widths.get(number, {}))

    def comments(self, sheet: Sheet) -> dict[str, str]:
        """What is noted beside cells, by their references; the newer kind alone where a sheet has both."""
        parts: dict[str, list[str]] = {}
        for each in self._package.relationships(sheet.part):
            parts.setdefault(each.kind, []).append(each.target)
        found: dict[str, str] = {}
        for part in parts.get("threadedComment") or parts.get("comments") or ():
            root = self._package.parse(part) if part in self._package else Element("none")
            for element in (each for each in root.iter() if each.tag in {"s:comment", "threadedComment"}):
                pieces = [each.text or "" for each in element.iter() if each.tag in {"s:t", "text"}]
                reference = element.get("ref", "")
                found[reference] = "\n".join(filter(None, (found.get(reference), "".join(pieces).strip())))
        return found

    def _cells(self, row: Element) -> Iterator[tuple[int, str]]:
        column = -1
        for cell in row:
            if shorten(cell.tag) == "s:c":
                match = REFERENCE.fullmatch(cell.get("r", ""))
                column = column_number(match[1]) if match else column + 1
                if text := self._text(cell).strip():
                    yield column, text

    def _text(self, cell: Element) -> str:
        """A cell as it is shown."""
        parts = {shorten(child.tag): child for child in cell}
        if cell.get("t") == "inlineStr" and "s:is" in parts:
            return _plain(parts["s:is"])
        found = parts.get("s:v")
        value = found.text or "" if found is not None else ""
        if not value:
            formula = parts.get("s:f")
            return f"={formula.text}" if formula is not None and formula.text else ""
        match cell.get("t", "n"):
            case "s":
                return self._texts[int(value)]
            case "b":
                return "TRUE" if value == "1" else "FALSE"
            case "n":
                return self._number(value, cell.get("s", "0"))
        return value.replace("T00:00:00", "").replace("T", " ") if cell.get("t") == "d" else value

    def _number(self, value: str, style: str) -> str:
        number = int(style) if style.isdecimal() else 0
        code = self._formats[number] if number < len(self._formats) else GENERAL
        try:
            return format_number(float(value), code, self.is_1904)
        except (ValueError, OverflowError):
            return value

    def _read_texts(self) -> Iterator[str]:
        for part in self._of_kind("sharedStrings"):
            for element in _stream(self._package, part, "s:si"):
                yield _plain(element)

    def _of_kind(self, kind: str) -> Iterator[str]:
        return (each.target for each in self._parts.values() if each.kind == kind and each.target in self._package)

    def _read_formats(self) -> list[str]:
        """Format codes by the number of a cell's style."""
        codes: dict[int, str] = dict(BUILT_IN)
        for part in self._of_kind("styles"):
            root = self._package.parse(part)
            for each in root.iter("s:numFmt"):
                codes[int(each.get("numFmtId", "0"))] = each.get("formatCode", GENERAL)
            styles = root.find("s:cellXfs")
            return [
                codes.get(int(each.get("numFmtId", "0")), GENERAL) for each in (styles if styles is not None else ())
            ]
        return []

    def _read_merges(self, sheet: Sheet) -> Merges:
        """They stand behind the cells, and are needed before."""
        data = self._package.read(sheet.part)
        found = MERGED.finditer(data, max(0, data.rfind(b"sheetData")))
        merges = Merges()
        for match, _ in zip(found, range(MERGES), strict=False):
            (left, top), (right, bottom) = (_position(each.decode()) for each in match.groups())
            if right > left:
                merges.widths.setdefault(top, {})[left] = right - left + 1
            if bottom > top:
                merges.columns.setdefault(top, []).append((left, bottom))
        return merges


def _fill_merged(merges: Merges, number: int, cells: dict[int, str]) -> None:
    """Give a row the texts of the cells that reach into it from above."""
    for column, (last, text) in list(merges.open.items()):
        if number > last:
            del merges.open[column]
        elif cells:
            cells.setdefault(column, text)
    for column, last in merges.columns.get(number, ()):
        if len(cells.get(column, "")) <= REPEATED and column in cells:
            merges.open[column] = (last, cells[column])


def _stream(package: Package, part: str, wanted: str) -> Iterator[Element]:
    """The elements of one kind in a part, each forgotten when the next one comes."""
    with package.open(part) as file:
        parents: list[Element] = []
        for event, element in iterparse(file, ("start", "end")):
            if event == "start":
                parents.append(element)
                continue
            parents.pop()
            if shorten(element.tag) == wanted:
                yield element
                if parents:
                    parents[-1].clear()


def _plain(element: Element) -> str:
    """The text of a string, without how it is pronounced."""
    runs = [element, *(each for each in element if shorten(each.tag) == "s:r")]
    texts = (each.text or "" for run in runs for each in run if shorten(each.tag) == "s:t")
    return CODE.sub(lambda match: chr(int(match[1], 16)), "".join(texts)).replace("\r", "")


def _position(reference: str) -> tuple[int, int]:
    match = REFERENCE.fullmatch(reference)
    return (column_number(match[1]), int(match[2])) if match else (0, 0)


def column_number(letters: str) -> int:
    """The column of these letters, from 0."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def column_letters(number: int) -> str:
    """The letters of a column, from 0."""
    letters, number = "", number + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
