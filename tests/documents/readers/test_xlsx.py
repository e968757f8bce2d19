"""Workbooks: real ones by openpyxl, and markup that other programs write."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import Workbook  # type: ignore[import-untyped]
from openpyxl.comments import Comment  # type: ignore[import-untyped]
from openpyxl.worksheet.worksheet import Worksheet  # type: ignore[import-untyped]

from documents.office.number_format import format_number
from documents.part import PASSAGE_LENGTH, Limits, Part, UnreadableFileError
from documents.readers import xlsx
from tests.documents.office import OFFICE, STRICT_OFFICE, package, relationships, word

STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
TRANSITIONAL = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LIGHTS: list[list[Any]] = [["place", "colour", "height"], ["Ardmore", "green", 12.5], ["Bantry", "red", 8]]
LIGHTS_TEXT = "place: Ardmore\ncolour: green\nheight: 12.5\n\nplace: Bantry\ncolour: red\nheight: 8"


def parts_of(folder: Path, data: bytes) -> list[Part]:
    """What is read of a file with these bytes."""
    path = folder / "a.xlsx"
    path.write_bytes(data)
    return list(xlsx.read(path, Limits(10, 1_000_000)))


def saved(book: Workbook) -> bytes:
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def sheet_of(book: Workbook, title: str, rows: Sequence[Sequence[Any]]) -> Worksheet:
    """A further sheet with these rows."""
    sheet: Worksheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    return sheet


def book() -> Workbook:
    """One without a sheet."""
    made = Workbook()
    assert made.active is not None
    made.remove(made.active)
    return made


def by_hand(
    rows: str, space: str = TRANSITIONAL, office: str = OFFICE, after: str = "", texts: str = "", formats: str = ""
) -> bytes:
    """A workbook with this markup in its only sheet, as programs other than openpyxl write it."""
    sheets = '<sheets><sheet name="Prices" sheetId="1" r:id="rId1"/></sheets>'
    kinds = {"worksheets/one.xml": "worksheet", "texts.xml": "sharedStrings", "styles.xml": "styles"}
    return package(
        {
            "_rels/.rels": relationships({"xl/workbook.xml": "officeDocument"}, office),
            "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{office}">{sheets}</workbook>',
            "xl/_rels/workbook.xml.rels": relationships(kinds, office),
            "xl/worksheets/one.xml": f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData>{after}</worksheet>',
            "xl/texts.xml": f'<sst xmlns="{space}">{texts}</sst>',
            "xl/styles.xml": f'<styleSheet xmlns="{space}">{formats}</styleSheet>',
        }
    )


def test_each_sheet_names_its_cells(tmp_path: Path) -> None:
    made = book()
    sheet_of(made, "Lights", LIGHTS)
    sheet_of(made, "Empty", [])
    sheet_of(made, "It's 2", [["name", "note"], ["long", "x" * 600], ["short", "y"]])
    sheet_of(made, "Hidden", [["secret", "word"], ["a", "b"]]).sheet_state = "hidden"
    first, *others = parts_of(tmp_path, saved(made))
    assert (first.place, first.text) == ("Lights!A2:C3", LIGHTS_TEXT)
    assert [part.place for part in others] == ["'It''s 2'!A2:B2", "'It''s 2'!A3:B3"]


@pytest.mark.parametrize(
    ("rows", "text", "place"),
    [
        ([["Lights of 2024"], [], *LIGHTS], f"Lights of 2024\n\n{LIGHTS_TEXT}", "S!A1:C5"),
        (
            [["place", "keeper"], ["Ardmore", None], [], ["Bantry", "Marta"]],
            "place: Ardmore\n\nplace: Bantry\nkeeper: Marta",
            "S!A2:B4",
        ),
        ([[None, "place", "tall"], [None, "Ardmore", True]], "place: Ardmore\ntall: TRUE", "S!B2:C2"),
        ([["value", "value"], [1, 2]], "value: 1\nvalue: 2", "S!A2:B2"),
        ([[1, 2], [3, 4.25]], "1 | 2\n\n3 | 4.25", "S!A1:B2"),
        ([["only"]], "only", "S!A1"),
        (
            [["day", "at"], [date(2026, 3, 5), datetime(2026, 3, 5, 14, 30)]],
            "day: 2026-03-05\nat: 2026-03-05 14:30",
            "S!A2:B2",
        ),
        ([["from", "long"], [time(9, 5), timedelta(hours=27, minutes=30)]], "from: 09:05\nlong: 27:30", "S!A2:B2"),
        ([["sum", "twice"], [0.1 + 0.2, "=A2*2"]], "sum: 0.3\ntwice: =A2*2", "S!A2:B2"),
        ([["big", "small"], [10**14, 1e-7]], "big: 100000000000000\nsmall: 1e-07", "S!A2:B2"),
    ],
)
def test_cells_of_a_sheet(tmp_path: Path, rows: list[list[Any]], text: str, place: str) -> None:
    made = book()
    sheet_of(made, "S", rows)
    assert [(part.text, part.place) for part in parts_of(tmp_path, saved(made))] == [(text, place)]


def test_comments_follow_their_sheet(tmp_path: Path) -> None:
    made = book()
    sheet = sheet_of(made, "S", LIGHTS)
    sheet["B2"].comment = Comment("Painted by Marta.", "Olga")
    parts = parts_of(tmp_path, saved(made))
    assert [(part.place, part.text) for part in parts] == [
        ("S!A2:C3", LIGHTS_TEXT),
        ("comment on S!B2", "Painted by Marta."),
    ]


def test_answers_to_a_comment_stand_together(tmp_path: Path) -> None:
    space = "http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"
    thread = "".join(f'<threadedComment ref="A2"><text>{text}</text></threadedComment>' for text in ("Is it?", "Yes."))
    with ZipFile(BytesIO(by_hand(HEAD))) as file:
        parts: dict[str, str | bytes] = {name: file.read(name) for name in file.namelist()}
    parts["xl/worksheets/_rels/one.xml.rels"] = relationships({"../c.xml": "comments", "../t.xml": "threadedComment"})
    parts["xl/t.xml"] = f'<ThreadedComments xmlns="{space}">{thread}</ThreadedComments>'
    parts["xl/c.xml"] = (
        f'<comments xmlns="{TRANSITIONAL}"><comment ref="A2"><text><t>[old]</t></text></comment></comments>'
    )
    assert parts_of(tmp_path, package(parts))[-1] == Part("Is it?\nYes.", place="comment on Prices!A2")


def test_merged_cells_and_headers_of_two_rows(tmp_path: Path) -> None:
    made = book()
    rows: list[list[Any]] = [["port", "sales", None], [None, 2025, 2026], ["Ardmore", 1, 2], [None, 3, 4]]
    sheet = sheet_of(made, "S", rows)
    for cells in ("A1:A2", "B1:C1", "A3:A4"):
        sheet.merge_cells(cells)
    (part,) = parts_of(tmp_path, saved(made))
    assert part.text == "port: Ardmore\nsales 2025: 1\nsales 2026: 2\n\nport: Ardmore\nsales 2025: 3\nsales 2026: 4"
    assert part.place == "S!A3:C4"


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.125, "0%", "13%"),
        (0.125, "0.0%", "12.5%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (1234.5, '"€" #,##0.00', "€ 1,234.50"),
        (-1234.5, "#,##0.00;(#,##0.00)", "(1,234.50)"),
        (-5, "[$£-809]#,##0;[Red]-[$£-809]#,##0", "-£5"),
        (0, '0;-0;"none"', "none"),
        (501, "00000", "00501"),
        (2.5, "0", "3"),
        (2.5, "0.##", "2.5"),
        (3, "0.##", "3"),
        (12, '0.0" kg"', "12.0 kg"),
        (1.5e6, '0.0,,"M"', "1.5M"),
        (1e9, '_-* #,##0.00 "kr"_-', "1,000,000,000.00 kr"),
        (5, "@", "5"),
        (0.5, "# ?/?", "0.5"),
        (12345.678, "0.00E+00", "12345.678"),
        (46086, "dd/mm/yyyy", "2026-03-05"),
        (46086, "[$-407]d. mmmm yyyy", "2026-03-05"),
        (46086.25, "yyyy-mm-dd hh:mm", "2026-03-05 06:00"),
        (0.75, "h:mm AM/PM", "18:00"),
        (1.5, "[h]:mm:ss", "36:00"),
        (59, "yyyy-mm-dd", "1900-02-28"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-1, "yyyy-mm-dd", "-1"),
        (7, "General", "7"),
        (2 / 7, "General", "0.2857142857"),
        (12345678901.6, "General", "12345678902"),
        (7, "", "7"),
        (1e300, "0.00", "1" + "0" * 300 + ".00"),
    ],
)
def test_numbers_as_they_are_shown(value: float, code: str, shown: str) -> None:
    assert format_number(value, code) == shown


HEAD = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" t="inlineStr"><is><t>b</t></is></c></row>'


@pytest.mark.parametrize(
    ("data", "text", "place"),
    [
        (by_hand(HEAD + '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>2</v></c></row>'), "a: 1\nb: 2", "Prices!A2:B2"),
        (
            by_hand(HEAD + '<row r="2"><c r="B2"><v>2</v></c></row>', STRICT, STRICT_OFFICE),
            "b: 2",
            "Prices!B2",
        ),
        (
            by_hand(
                '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row><row><c><v>1</v></c><c t="b"><v>1</v></c></row>',
                texts="<si><r><t>li</t></r><r><t>ght</t></r><rPh><t>x</t></rPh></si><si><t>o_x000D_n</t></si>",
            ),
            "light: 1\non: TRUE",
            "Prices!A2:B2",
        ),
        (
            by_hand(
                HEAD + '<row r="2"><c r="A2" t="str"><f>UPPER("x")</f><v>X</v></c><c r="B2" t="e"><v>#N/A</v></c></row>'
            ),
            "a: X\nb: #N/A",
            "Prices!A2:B2",
        ),
        (
            by_hand(HEAD + '<row r="2"><c r="A2" t="d"><v>2026-03-05T00:00:00</v></c></row>'),
            "a: 2026-03-05",
            "Prices!A2",
        ),
        (
            by_hand(HEAD + '<row r="1048576"><c r="A1048576"><v>7</v></c><c r="ZZZZZ1048576"><v>8</v></c></row>'),
            "a: 7\n8",
            "Prices!A1048576:ZZZZZ1048576",
        ),
        (
            by_hand(
                HEAD + '<row r="2"><c r="A2" s="1"><v>0.5</v></c><c r="B2" s="99"><v>2</v></c></row>',
                formats='<numFmts><numFmt numFmtId="164" formatCode="0.0%"/></numFmts><cellXfs><xf numFmtId="0"/>'
                '<xf numFmtId="164"/></cellXfs>',
            ),
            "a: 50.0%\nb: 2",
            "Prices!A2:B2",
        ),
        (
            by_hand(HEAD + '<row r="2"><c r="A2"/></row>' * 3, after='<dimension ref="A1:XFD1048576"/>'),
            "a | b",
            "Prices!A1:B1",
        ),
    ],
    ids=["inline", "strict", "shared", "formula", "date", "far away", "format", "no rows"],
)
def test_markup_of_other_programs(tmp_path: Path, data: bytes, text: str, place: str) -> None:
    assert [(part.text, part.place) for part in parts_of(tmp_path, data)] == [(text, place)]


def test_many_rows_fill_passages(tmp_path: Path) -> None:
    made = book()
    sheet_of(made, "S", [["number", "note"], *([number, "z" * 40] for number in range(2, 1_000))])
    parts = parts_of(tmp_path, saved(made))
    assert all(len(part.text) <= PASSAGE_LENGTH for part in parts)
    assert parts[0].place == "S!A2:B9"
    assert sum(part.text.count("number: ") for part in parts) == 998


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "is protected by a password"),
        (
            b"\xd0\xcf\x11\xe0" + bytes(600) + "Workbook".encode("utf-16-le"),
            "is an Excel file of before 2007 inside: save it as XLSX",
        ),
        (
            word("<w:p/>"),
            "is a Word document inside, though it is named like an Excel workbook. Give it the ending .docx.",
        ),
        (package({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}), "is no Excel workbook inside"),
    ],
)
def test_what_is_no_workbook(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFileError, match="^" + said.replace(".", r"\.")):
        parts_of(tmp_path, data)
