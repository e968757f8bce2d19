"""What is printed: replies and lists on stdout, what stands beside them on stderr. Knows text; nothing of its meaning.

Everything passes `plain`, and nothing is read as markup. Colours and the spinner are for a terminal only.
"""

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.table import Table
from rich.text import Text

from terminal.text import plain


class Screen:
    """One terminal, or two streams."""

    def __init__(self) -> None:
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.beside = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def piece(self, text: str) -> None:
        """Part of a reply, exactly as it is; rich would wrap and trim."""
        print(plain(text), end="", flush=True)

    def say(self, text: str) -> None:
        """A line that was asked for."""
        print(plain(text), flush=True)

    def rows(self, rows: Iterable[tuple[str, ...]]) -> None:
        """A list in columns; with tabs between them where no person reads it."""
        if not self.out.is_terminal:
            for row in rows:
                self.say("\t".join(row))
            return
        table = Table.grid(padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*(Text(plain(cell), overflow="fold") for cell in row))
        self.out.print(table)

    def note(self, text: str) -> None:
        """What is good to know."""
        self._line(text, "dim")

    def wrong(self, text: str) -> None:
        """What went wrong, and the remedy."""
        self._line(text, "red")

    def _line(self, text: str, style: str) -> None:
        self.beside.out(plain(text), style=style)

    def waiting(self, doing: Callable[[], str]) -> AbstractContextManager[object]:
        """A spinner that says what is done at the moment."""
        return _spinner(self.out, doing)

    def reading(self, doing: Callable[[], str]) -> AbstractContextManager[object]:
        """The same beside what is printed, which may go into a file."""
        return _spinner(self.beside, doing)


def _spinner(console: Console, doing: Callable[[], str]) -> AbstractContextManager[object]:
    seen = console.is_terminal and not console.is_dumb_terminal
    return console.status(Doing(doing)) if seen else nullcontext()


class Doing:
    """Words that are asked for whenever they are drawn."""

    def __init__(self, words: Callable[[], str]) -> None:
        self._words = words

    def __rich__(self) -> Text:
        return Text(plain(self._words()), style="dim", overflow="ellipsis", no_wrap=True)


def terminal() -> bool:
    """Whether a person sits at both ends."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
