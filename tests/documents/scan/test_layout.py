"""Lines in the order of reading: columns, headings over them, tables, paragraphs, skewed pages. Boxes are made up."""

import math

import numpy as np
import pytest

from documents.scan.layout import compose
from documents.scan.recognizer import Found

SIZE = (1000, 1400)


def found(left: float, top: float, width: float, text: str, height: float = 30, angle: float = 0.0) -> Found:
    """A line; on a page that is turned by so many degrees."""
    corners = [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return Found(text, np.array([[x * cos - y * sin, x * sin + y * cos] for x, y in corners], np.float32))


def column(name: str, left: float, top: float, count: int, width: float = 400) -> list[Found]:
    return [found(left, top + 40 * number, width, f"{name} {number}") for number in range(1, count + 1)]


def text_of(lines: list[Found]) -> str:
    return compose(lines, *SIZE)[0]


def test_two_columns_are_read_one_after_the_other() -> None:
    page = text_of([*column("right", 560, 100, 4), *column("left", 60, 105, 4)])
    assert page.split() == [word for side in ("left", "right") for n in range(1, 5) for word in (side, str(n))]


def test_a_heading_over_columns_stands_before_them_and_a_line_below_after_them() -> None:
    heading, end = found(60, 60, 900, "Heading"), found(60, 700, 880, "The end")
    page = text_of([end, *column("right", 560, 150, 4), heading, *column("left", 60, 150, 5)])
    said = [line for line in page.splitlines() if line]
    assert [said[0], said[1], said[6], said[-1]] == ["Heading", "left 1", "right 1", "The end"]


def test_columns_below_a_text_of_full_width() -> None:
    body = [found(60, 60 + 40 * number, 880, f"body {number}") for number in range(6)]
    page = text_of([*body, *column("right", 560, 400, 4), *column("left", 60, 400, 4)])
    assert page.replace("\n\n", "\n").splitlines() == [
        *(f"body {number}" for number in range(6)),
        *(f"left {number}" for number in range(1, 5)),
        *(f"right {number}" for number in range(1, 5)),
    ]


def test_three_columns() -> None:
    sides = [*column("b", 360, 100, 4, 260), *column("c", 660, 100, 4, 260), *column("a", 60, 100, 4, 260)]
    assert [line[0] for line in text_of(sides).splitlines() if line] == list("aaaabbbbcccc")


def test_a_table_is_read_row_by_row() -> None:
    rows = [("Tea", "2", "3.50"), ("Coffee", "1", "2.80"), ("Cake", "4", "9.00"), ("Sum", "", "15.30")]
    cells = [
        found(left, 100 + 50 * number, 20 * len(cell) + 10, cell)
        for number, row in enumerate(rows)
        for left, cell in zip((60, 500, 800), row, strict=True)
        if cell
    ]
    assert text_of(cells).splitlines() == ["Tea | 2 | 3.50", "Coffee | 1 | 2.80", "Cake | 4 | 9.00", "Sum | 15.30"]


@pytest.mark.parametrize("angle", [-4, 3])
def test_a_skewed_page_is_read_in_its_own_rows(angle: float) -> None:
    rows = [[found(x, 100 + 45 * n, 200, f"{n}{side}", angle=angle) for side, x in (("a", 60), ("b", 290))]
            for n in range(5)]  # fmt: skip
    page = text_of([each for row in rows[::-1] for each in row[::-1]])
    assert page.splitlines() == [f"{n}a {n}b" for n in range(5)]


def test_paragraphs_stand_apart() -> None:
    page = text_of([found(60, top, 700, f"at {top}") for top in (100, 140, 180, 300, 340)])
    assert page == "at 100\nat 140\nat 180\n\nat 300\nat 340"


def test_japanese_pieces_of_a_row_have_no_space_between_them() -> None:
    assert text_of([found(60, 100, 200, "灯台の"), found(265, 100, 200, "光は緑")]) == "灯台の光は緑"
    assert text_of([found(60, 100, 200, "lamp of"), found(265, 100, 200, "Ardmore")]) == "lamp of Ardmore"


def test_each_line_knows_its_words_and_its_place() -> None:
    page, lines = compose([found(100, 140, 500, "first"), found(100, 700, 300, "second")], *SIZE)
    assert [page[line.start : line.end] for line in lines] == ["first", "second"]
    assert [line.box for line in lines] == [(0.1, 0.1, 0.6, 0.1214), (0.1, 0.5, 0.4, 0.5214)]


def test_nothing_found_is_no_text() -> None:
    assert compose([], *SIZE) == ("", ())
