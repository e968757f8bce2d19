"""Rows of a table as texts that are understood alone: each value beside its column's name. Knows rows; no file.

1. The header is the first row of two cells or more; what stands above it (a title) is read as it is.
2. Each row below is lines of `column: value`; what stands in no named column is a line without a name.
3. Rows go together into parts no longer than a passage, so that a passage's place is the range of its rows.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from documents.part import PASSAGE_LENGTH, Part

SAMPLE = 50  # rows that tell what the header is
WIDEST = 1_000  # columns of a cell that names several
BREAK = "\n\n"  # between two rows
CELLS = " | "  # between cells that have no column


@dataclass(frozen=True)
class Row:
    """The cells that hold something, by their columns from 0; `width` counts the empty ones at the end, too.

    `spans` says of how many columns the wider ones are.
    """

    number: int
    cells: Mapping[int, str]
    width: int = 0
    spans: Mapping[int, int] = field(default_factory=dict)


@dataclass
class Block:
    """Rows on their way into one part."""

    texts: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def length(self) -> int:
        """The characters of its text."""
        return sum(map(len, self.texts)) + len(BREAK) * len(self.texts)


Place = Callable[[Sequence[Row]], str]


def table_parts(rows: Iterable[Row], place: Place) -> Iterator[Part]:
    """The parts of a table, `place` of whose rows says where they stand."""
    iterator = (row for row in rows if row.cells)
    sample = list(islice(iterator, SAMPLE))
    above = find_header(sample)
    names = read_names(sample[above : above + 2])
    heads = above + names.height
    block = Block()
    for at, row in enumerate(chain(sample, iterator)):
        if above <= at < heads:
            continue
        text = describe_row({} if at < above else names.names, row.cells)
        if block.rows and block.length + len(text) > PASSAGE_LENGTH:
            yield Part(BREAK.join(block.texts), place=place(block.rows))
            block = Block()
        block.texts.append(text)
        block.rows.append(row)
    if not block.rows and names.height:  # nothing but a header: its words are all that there are
        block = Block([CELLS.join(names.names.values())], sample[above:heads])
    if block.rows:
        yield Part(BREAK.join(block.texts), place=place(block.rows))


@dataclass(frozen=True)
class Names:
    """The names of columns, and of how many rows they are made."""

    names: Mapping[int, str]
    height: int


def read_names(rows: Sequence[Row]) -> Names:
    """The names in the first of these rows; where some of its cells span several columns, with those below them."""
    if not rows:
        return Names({}, 0)
    above, below = rows[0].cells, rows[1].cells if len(rows) > 1 else {}
    groups = {
        column + offset: text
        for column, text in above.items()
        for offset in range(min(rows[0].spans.get(column, 1), WIDEST))
        if not offset or column + offset in below
    }
    wide = {column + offset for column, width in rows[0].spans.items() for offset in range(min(width, WIDEST))}
    if len(above) < 2 or not wide & set(below) or any(below[at] != groups.get(at) for at in set(below) - wide):
        return Names(above, 1)
    words = {at: dict.fromkeys((groups.get(at, ""), below.get(at, ""))) for at in sorted({*groups, *below})}
    return Names({at: " ".join(filter(None, each)) for at, each in words.items()}, 2)


def describe_row(header: Mapping[int, str], cells: Mapping[int, str]) -> str:
    """A line for each cell, with its column's name where that has one; one line for all where no column has."""
    if not header:
        return CELLS.join(cells.values())
    return "\n".join(f"{header[at]}: {value}" if at in header else value for at, value in cells.items())


def find_header(rows: Sequence[Row]) -> int:
    """Where the header is among the first rows; their number where there is none."""
    if not rows:
        return 0
    usual = Counter(len(row.cells) for row in rows).most_common(1)[0][0]
    at = _below_title(rows) if usual > 1 else 0
    return len(rows) if all(is_number(cell) for cell in rows[at].cells.values()) else at


def _below_title(rows: Sequence[Row]) -> int:
    """The first row of several cells, if what stands above it looks like a title; else the first of all."""
    at = next(at for at, row in enumerate(rows) if len(row.cells) > 1)
    if not at:
        return 0
    header = rows[at]
    is_apart = header.number > rows[at - 1].number + 1
    is_padded = rows[0].width > 1
    return at if is_apart or is_padded or len(header.cells) > 2 else 0


def is_number(text: str) -> bool:
    """Whether it is made of digits, signs and units alone, with no word in it."""
    return any(letter.isdigit() for letter in text) and not any(letter.isalpha() for letter in text)
