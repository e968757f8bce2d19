"""How a training command ends: 0, or one line that says what was wrong with what it was given. Knows no command."""

import sys
from collections.abc import Callable


def run(name: str, work: Callable[[], None]) -> int:
    """The exit status: 2 where a file or a value was wrong."""
    try:
        work()
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    return 0
