"""What every training command shares: its --help with examples, and how it ends. Knows no command."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that tells of a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        """End the process with status 2 and one line."""
        self.exit(2, f"{self.prog}: {message} (--help shows the options)\n")


def parser(module: str, about: str | None) -> Parser:
    """The parser of `python -m module`, whose docstring is its help."""
    return Parser(f"python -m {module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter)


def require_positive(args: argparse.Namespace, *names: str) -> None:
    """Raises ValueError naming the first of these options that is below 1; of one with several values the least."""
    for name in names:
        value = getattr(args, name)
        least = min(value) if isinstance(value, list) else value
        if least < 1:
            raise ValueError(f"--{name} {least}: 1 or more")


def run(name: str, work: Callable[[], None]) -> int:
    """The exit status: 0, or 2 and one line that says which file or value was wrong."""
    try:
        work()
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    return 0
