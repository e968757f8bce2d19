"""Tables as text, by any delimiter that spreadsheets write."""

from pathlib import Path

import pytest

from documents.part import PASSAGE_LENGTH, Limits, Part, UnreadableFileError
from documents.readers import csv

LIGHTS = "place: Ardmore\ncolour: green\nheight: 12,5\n\nplace: Bantry\ncolour: red\nheight: 8,25"


def parts_of(folder: Path, data: str | bytes) -> list[Part]:
    """What is read of a file with this in it."""
    path = folder / "a.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(csv.read(path, Limits(10, 1_000_000)))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("place;colour;height\nArdmore;green;12,5\nBantry;red;8,25\n", LIGHTS),
        ("place\tcolour\theight\r\nArdmore\tgreen\t12,5\r\nBantry\tred\t8,25\r\n", LIGHTS),
        ("place|colour|height\rArdmore|green|12,5\rBantry|red|8,25", LIGHTS),
        ('place,colour,height\nArdmore,green,"12,5"\nBantry,red,"8,25"\n', LIGHTS),
        ("sep=;\nplace;colour;height\nArdmore;green;12,5\nBantry;red;8,25\n", LIGHTS),
        ('"sep=:"\r\nplace:colour:height\r\nArdmore:green:12,5\r\nBantry:red:8,25', LIGHTS),
        ("\ufeffplace;colour;height\nArdmore;green;12,5\nBantry;red;8,25\n", LIGHTS),
        ("\n\nplace;colour;height\n\nArdmore;green;12,5\n;;\nBantry;red;8,25\n\n", LIGHTS),
        ("Lights of 2024\n\nplace;colour;height\nArdmore;green;12,5\nBantry;red;8,25\n", f"Lights of 2024\n\n{LIGHTS}"),
        ("Lights;;\nplace;colour;height\nArdmore;green;12,5\nBantry;red;8,25\n", f"Lights\n\n{LIGHTS}"),
        ("größe;ort\n1,5;Köln\n2,5;Jülich\n".encode("cp1252"), "größe: 1,5\nort: Köln\n\ngröße: 2,5\nort: Jülich"),
        ("a;b\n1,5;2,5\n".encode("utf-16"), "a: 1,5\nb: 2,5"),
        ("Price, EUR;Mass, kg\n1,5;2,5\n3,5;4,5\n", "Price, EUR: 1,5\nMass, kg: 2,5\n\nPrice, EUR: 3,5\nMass, kg: 4,5"),
        ("name,value,value\nArdmore,1,2\n", "name: Ardmore\nvalue: 1\nvalue: 2"),
        ("place,colour,keeper\nArdmore,green\nBantry\n,,\n", "place: Ardmore\ncolour: green\n\nplace: Bantry"),
        ("place,colour\nArdmore,green,tall,old\n", "place: Ardmore\ncolour: green\ntall\nold"),
        (",colour\nArdmore,green\n", "Ardmore\ncolour: green"),
        (
            'place,note\nArdmore,"one\ntwo; three"\nBantry,"say ""hi"""\n',
            'place: Ardmore\nnote: one\ntwo; three\n\nplace: Bantry\nnote: say "hi"',
        ),
        ('place, note\nArdmore, "green, tall"\n', "place: Ardmore\nnote: green, tall"),
        ("note\nHello, you\nBye\nNow, then, here\n", "note: Hello\nyou\n\nnote: Bye\n\nnote: Now\nthen\nhere"),
        ("1;2\n3;4\n", "1 | 2\n\n3 | 4"),
        ("name,age\n", "name | age"),
        ("灯,色\nArdmore,緑\n".encode("gb18030"), "灯: Ardmore\n色: 緑"),
        ("a,b\n0,0\n", "a: 0\nb: 0"),
        ("country,2020,2021\nIreland,5,6\n", "country: Ireland\n2020: 5\n2021: 6"),
    ],
)
def test_rows_beside_their_columns(tmp_path: Path, data: str | bytes, text: str) -> None:
    assert "\n\n".join(part.text for part in parts_of(tmp_path, data)) == text


def test_a_part_names_its_rows_and_is_no_longer_than_a_passage(tmp_path: Path) -> None:
    rows = [f"light {number};{'x' * 80}" for number in range(2, 50)]
    parts = parts_of(tmp_path, "\n".join(["name;note", *rows, f"long;{'y' * 2000}"]))
    assert [part.place for part in parts[:2]] == ["rows 2-5", "rows 6-9"]
    assert parts[-1].place == "row 50"
    for part in parts[:-1]:
        assert len(part.text) <= PASSAGE_LENGTH
        numbers = [int(line.rpartition(" ")[2]) for line in part.text.splitlines() if line.startswith("name")]
        assert part.place == f"rows {numbers[0]}-{numbers[-1]}"


def test_too_many_columns(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"^has 10,000 columns in row 1; at most 500 are read"):
        parts_of(tmp_path, ",".join(["x"] * 10_000))
