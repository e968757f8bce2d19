"""What is printed: replies and lists on stdout, what stands beside them on stderr. Knows text; nothing of its meaning.

Everything passes `plain`, and nothing is read as markup. Colours and the spinner are for a terminal only.
"""

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.table import Table
from rich.text import Text

from terminal.text import strip_control


class Screen:
    """A terminal, or the two streams of a pipe."""

    def __init__(self) -> None:
        self.out = Console(highlight=False, markup=False, emoji=False)
        self.err = Console(stderr=True, highlight=False, markup=False, emoji=False)

    def print_part(self, text: str) -> None:
        """Print part of a reply exactly as it is; rich would wrap and trim."""
        print(strip_control(text), end="", flush=True)

    def print(self, text: str) -> None:
        """Print a line that was asked for, on stdout."""
        print(strip_control(text), flush=True)

    def print_table(self, rows: Iterable[tuple[str, ...]]) -> None:
        """Print rows in columns, separated by tabs where stdout is no terminal."""
        if not self.out.is_terminal:
            for row in rows:
                self.print("\t".join(row))
            return
        table = Table.grid(padding=(0, 2, 0, 0))
        for row in rows:
            table.add_row(*(Text(strip_control(cell), overflow="fold") for cell in row))
        self.out.print(table)

    def print_aside(self, text: str) -> None:
        """Print part of a side remark on stderr, exactly as it is."""
        self.err.out(strip_control(text), style="dim", end="")

    def print_note(self, text: str) -> None:
        """Print a side remark on stderr."""
        self._line(text, "dim")

    def error(self, text: str) -> None:
        """Print what went wrong, and the remedy, on stderr."""
        self._line(text, "red")

    def _line(self, text: str, style: str) -> None:
        self.err.out(strip_control(text), style=style)

    def waiting(self, doing: Callable[[], str]) -> AbstractContextManager[object]:
        """A spinner on stdout with a text that is asked for at each step."""
        return _spinner(self.out, doing)

    def reading(self, doing: Callable[[], str]) -> AbstractContextManager[object]:
        """A spinner on stderr, for when stdout may be a file."""
        return _spinner(self.err, doing)


def _spinner(console: Console, doing: Callable[[], str]) -> AbstractContextManager[object]:
    is_visible = console.is_terminal and not console.is_dumb_terminal
    return console.status(LiveText(doing)) if is_visible else nullcontext()


class LiveText:
    """A text that is asked for whenever it is drawn."""

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text

    def __rich__(self) -> Text:
        return Text(strip_control(self._text()), style="dim", overflow="ellipsis", no_wrap=True)


def is_interactive() -> bool:
    """Whether stdin and stdout are both terminals."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
