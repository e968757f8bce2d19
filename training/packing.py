"""Encoded texts to rows of at most so many tokens: whole dialogues side by side, none seeing another.

`position_ids` restart at 0 where a dialogue starts, and jump back where a branch of it does (questions about the same
passages); that is how the model knows. Knows no tokenizer and no files.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from training.tokenizer import Encoded

IGNORED = -100
Row = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """Tokens that belong together, and the label of each: its own id, or IGNORED."""

    ids: list[int]
    labels: list[int]
    positions: list[int] | None = None


def split_into_pieces(encoded: Encoded, longest: int) -> Iterator[Piece]:
    """Cut at turns to at most `longest` tokens, each piece under the same system prompt.

    A piece begins with the turn before it, which is not learnt again, so that no reply stands without what it answers.
    A turn that is longer by itself is cut where the room ends; a system prompt over half the room is not repeated.
    """
    ids = encoded.ids
    labels = [i if learnt else IGNORED for i, learnt in zip(ids, encoded.learnt, strict=True)]
    if len(ids) <= longest:
        yield Piece(ids, labels, encoded.positions)
        return
    if encoded.positions is not None:
        return  # to cut passages would make questions of them that nothing answers
    header = encoded.header if encoded.header <= longest // 2 else 0
    room, start, before = longest - header, header, header
    while start < len(ids):
        context = start - before if start - before <= room // 3 else 0
        end = _end(encoded.turns, start, start + room - context, len(ids))
        if any(encoded.learnt[start:end]):
            fresh = labels[:header] + [IGNORED] * context + labels[start:end]
            yield Piece(ids[:header] + ids[start - context : end], fresh)
        before, start = max((t for t in encoded.turns if start <= t < end), default=end), end


def _end(turns: list[int], start: int, limit: int, length: int) -> int:
    """The last turn's start up to `limit`, else `limit` itself."""
    return length if limit >= length else max((t for t in turns if start < t <= limit), default=limit)


@dataclass
class Packer:
    """Rows of one source. `cross`: one running text cut every `longest` tokens, dialogues see what came before."""

    longest: int
    source: str
    cross: bool = False
    open_rows: list[list[Piece]] = field(default_factory=list)
    max_open: int = 16

    def add(self, piece: Piece) -> Iterator[Row]:
        """The rows that become full by putting this piece in."""
        if self.cross:
            yield from [self._row([piece])] if piece.positions else self._run_on(piece)
            return
        fits = [row for row in self.open_rows if self._room(row) >= len(piece.ids)]
        if fits:
            min(fits, key=self._room).append(piece)
        else:
            self.open_rows.append([piece])
        if len(self.open_rows) > self.max_open:
            fullest = min(range(len(self.open_rows)), key=lambda i: self._room(self.open_rows[i]))
            yield self._row(self.open_rows.pop(fullest))

    def flush(self) -> Iterator[Row]:
        """The rows that are still open, full or not."""
        yield from (self._row(row) for row in self.open_rows)
        self.open_rows = []

    def _room(self, row: list[Piece]) -> int:
        return self.longest - sum(len(p.ids) for p in row)

    def _run_on(self, piece: Piece) -> Iterator[Row]:
        before = self.open_rows.pop() if self.open_rows else []
        ids = [i for p in before for i in p.ids] + piece.ids
        labels = [i for p in before for i in p.labels] + piece.labels
        while len(ids) >= self.longest:
            yield self._row([Piece(ids[: self.longest], labels[: self.longest])])
            ids, labels = ids[self.longest :], labels[self.longest :]
        self.open_rows = [[Piece(ids, labels)]] if ids else []

    def _row(self, row: list[Piece]) -> Row:
        ids = [i for p in row for i in p.ids]
        return {
            "input_ids": ids,
            "labels": [i for p in row for i in p.labels],
            "position_ids": [n for p in row for n in (p.positions or range(len(p.ids)))],
            "length": len(ids),
            "source": self.source,
        }
