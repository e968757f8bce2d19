"""Lines of a page in the order in which people read them: columns, rows, paragraphs. Knows boxes and letters alone.

A gutter makes two columns where lines of some length stand on both sides of it; short ones are the cells of a table,
which is read row by row. What reaches over a gutter, as a heading does, is read between what stands above and below.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from documents.part import Box, Line
from documents.scan.recognizer import Found

CELLS = " | "  # between cells of a row
LEAST_LINES = 3  # of a column
LEAST_LENGTH = 8.0  # width by height of its lines: some 16 Latin letters, 8 Chinese ones
GUTTER = 0.7  # heights of a line, at least
CELL_GAP = 2.0  # heights between two cells; less is a space
SAME_ROW = 0.5  # of the smaller height, between the middles of what stands in one row
PARAGRAPH = 0.8  # heights between two paragraphs, and at least 1.6 times the usual space
LONG = 3.0  # width by height of lines that tell how a page is skewed


@dataclass(frozen=True)
class Item:
    """A line by its place on the page laid straight, in pixels; `box` is the one on the page as it is."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    box: Box

    @property
    def height(self) -> float:
        """How high it is."""
        return max(1.0, self.bottom - self.top)

    @property
    def middle(self) -> float:
        """The height at which it stands."""
        return (self.top + self.bottom) / 2


def compose(found: Sequence[Found], width: int, height: int) -> tuple[str, tuple[Line, ...]]:
    """The text of a page of this size, and where each line of it stands."""
    text, lines = "", list[Line]()
    for rows in _blocks(_items(found, width, height)):
        before: list[Item] | None = None
        for row in rows:
            text += _break(before, row, _usual_space(rows)) if before else ("\n\n" if text else "")
            for item, between in _spaced(row):
                text += between
                lines.append(Line(len(text), len(text) + len(item.text), item.box))
                text += item.text
            before = row
    return text, tuple(lines)


def _items(found: Sequence[Found], width: int, height: int) -> list[Item]:
    """The lines with their places, the skew of the page taken out."""
    if not found:
        return []
    angle = _skew(found)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    size, items = np.array([width, height]), []
    for each in found:
        straight = each.points @ turn
        (left, top), (right, bottom) = straight.min(axis=0), straight.max(axis=0)
        low, high = (np.clip(side / size, 0, 1) for side in (each.points.min(axis=0), each.points.max(axis=0)))
        box = (round(float(low[0]), 4), round(float(low[1]), 4), round(float(high[0]), 4), round(float(high[1]), 4))
        items.append(Item(each.text.strip(), float(left), float(top), float(right), float(bottom), box))
    return items


def _skew(found: Sequence[Found]) -> float:
    """The angle of most lines, in radians."""
    angles = []
    for each in found:
        (x, y), down = each.points[1] - each.points[0], each.points[3] - each.points[0]
        if x > LONG * np.linalg.norm(down):
            angles.append(math.atan2(float(y), float(x)))
    return median(angles) if angles else 0.0


def _blocks(items: Sequence[Item]) -> Iterator[list[list[Item]]]:
    """The rows of each block: of what stands between columns, and of each column."""
    plain = list[Item]()
    for block, is_column in _divide(items):
        if not is_column:
            plain += block
            continue
        if plain:
            yield _rows(plain)
            plain = []
        yield _rows(block)
    if plain:
        yield _rows(plain)


def _divide(items: Sequence[Item]) -> Iterator[tuple[list[Item], bool]]:
    """Pieces in the order of reading, and whether each is a column."""
    gutter = _gutter(items)
    if gutter is None:
        yield list(items), False
        return
    for inside, over in _bands(items, gutter):
        left, right = _sides(inside, gutter)
        if _are_columns(left, right):
            for side in (left, right):
                yield from ((piece, True) for piece, _ in _divide(side))
        elif inside:
            yield inside, False
        if over is not None:
            yield [over], False


def _gutter(items: Sequence[Item]) -> float | None:
    """Where the page is best divided into columns; None where nowhere."""
    if len(items) < 2 * LEAST_LINES:
        return None
    edges = sorted({round(edge) for each in items for edge in (each.left, each.right)})
    step = median(each.height for each in items) * GUTTER
    places = [(a + b) / 2 for a, b in pairwise(edges) if b - a >= step / 2]
    best, most = None, 0
    for at in places:
        count = sum(len(inside) for inside, _ in _bands(items, at) if inside and _are_columns(*_sides(inside, at)))
        if count > most:
            best, most = at, count
    return best


def _bands(items: Sequence[Item], at: float) -> Iterator[tuple[list[Item], Item | None]]:
    """What stands above each line that reaches over a place, and that line; at last what stands below all."""
    over = sorted((each for each in items if each.left < at < each.right), key=lambda each: each.middle)
    rest = sorted((each for each in items if not each.left < at < each.right), key=lambda each: each.middle)
    begin = 0
    for line in over:
        end = begin
        while end < len(rest) and rest[end].middle < line.middle:
            end += 1
        yield rest[begin:end], line
        begin = end
    yield rest[begin:], None


def _sides(items: Sequence[Item], at: float) -> tuple[list[Item], list[Item]]:
    return [each for each in items if each.right <= at], [each for each in items if each.left >= at]


def _are_columns(left: Sequence[Item], right: Sequence[Item]) -> bool:
    """Whether two sides of a gutter are columns of text, and not the cells of a table."""
    if min(len(left), len(right)) < LEAST_LINES:
        return False
    if min(median((each.right - each.left) / each.height for each in side) for side in (left, right)) < LEAST_LENGTH:
        return False
    space = min(each.left for each in right) - max(each.right for each in left)
    if space < GUTTER * median(each.height for each in (*left, *right)):
        return False
    extents = [(min(each.top for each in side), max(each.bottom for each in side)) for side in (left, right)]
    shared = min(bottom for _, bottom in extents) - max(top for top, _ in extents)
    return shared > min(bottom - top for top, bottom in extents) / 2


def _rows(items: Sequence[Item]) -> list[list[Item]]:
    """The items of each row, from left to right."""
    rows = list[list[Item]]()
    for item in sorted(items, key=lambda each: each.middle):
        for row in rows[:-4:-1]:
            if _is_in_row(item, row):
                row.append(item)
                break
        else:
            rows.append([item])
    rows.sort(key=lambda row: sum(each.middle for each in row) / len(row))
    return [sorted(row, key=lambda each: each.left) for row in rows]


def _is_in_row(item: Item, row: Sequence[Item]) -> bool:
    """Whether an item stands in a row: at its height, and over none of it."""
    near = min(row, key=lambda each: abs(each.left - item.left))
    if abs(item.middle - near.middle) > SAME_ROW * min(item.height, near.height):
        return False
    return all(min(item.right, each.right) - max(item.left, each.left) < item.height / 2 for each in row)


def _spaced(row: Sequence[Item]) -> Iterator[tuple[Item, str]]:
    """Each item of a row with what stands before it."""
    before: Item | None = None
    for item in row:
        if before is None:
            yield item, ""
        else:
            gap = (item.left - before.right) / min(item.height, before.height)
            is_one = gap < 1 and _is_wide(before.text[-1]) and _is_wide(item.text[0])
            yield item, CELLS if gap >= CELL_GAP else "" if is_one else " "
        before = item


def _is_wide(letter: str) -> bool:
    """Whether words with such a letter are written without spaces: Chinese and Japanese."""
    return "\u3000" <= letter <= "\u9fff" or "\uff00" <= letter <= "\uffef"


def _usual_space(rows: Sequence[Sequence[Item]]) -> float:
    """The space between two rows, as most have it."""
    spaces = [_space(above, below) for above, below in pairwise(rows)]
    return median(spaces) if spaces else 0.0


def _space(above: Sequence[Item], below: Sequence[Item]) -> float:
    return min(each.top for each in below) - max(each.bottom for each in above)


def _break(above: Sequence[Item], below: Sequence[Item], usual: float) -> str:
    height = median(each.height for each in (*above, *below))
    is_wide = _space(above, below) > max(PARAGRAPH * height, 1.6 * usual)
    return "\n\n" if is_wide else "\n"
