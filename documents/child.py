"""The process that reads one file, so that a hostile or huge one harms nothing else: limits first, then a reader.

`python -m documents.child KIND PATH LIMITS` (as JSON) prints JSON lines: a part each, or {"error": text}. Knows what
can be wrong with a file; nothing of who gave it.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from documents.allowance import limit_time
from documents.part import BROKEN, PROTECTED, Limits, Part, UnreadableFileError, part_to_json

MEMORY = 3 * 2**30  # bytes of address space


def main(arguments: list[str]) -> None:
    """Read the file that the arguments name."""
    kind, path, values = arguments[0], Path(arguments[1]), json.loads(arguments[2])
    limits = Limits(**{**values, "done": tuple(values["done"])})
    limit_resources(limits)
    said, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no part
    try:
        for part in read(path, kind, limits):
            print(part_to_json(part), file=said, flush=True)
    except UnreadableFileError as error:
        print(json.dumps({"error": str(error)}), file=said, flush=True)
    except MemoryError:
        error_text = "takes more memory to read than one file may have: attach a smaller part of it."
        print(json.dumps({"error": error_text}), file=said, flush=True)


def limit_resources(limits: Limits) -> None:
    """From now on this process has so much memory and processor time, and goes after everybody else."""
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    limit_time(limits.seconds, limits.seconds + limits.page_seconds * limits.pages)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read(path: Path, kind: str, limits: Limits) -> Iterator[Part]:
    """The parts of a file, none of them beyond the limits. Raises UnreadableFileError."""
    total = 0
    for part in _read_parts(path, kind, limits):
        total += len(part.text)
        if total > limits.characters:
            raise UnreadableFileError(
                f"holds more than {limits.characters:,} characters (DOCUMENTS_MAX_CHARACTERS). Attach a part of it."
            )
        yield part


def _read_parts(path: Path, kind: str, limits: Limits) -> Iterator[Part]:
    """What the reader of this kind gives. Raises UnreadableFileError for its failures."""
    try:
        yield from import_module(f"documents.readers.{kind}").read(path, limits)
    except (MemoryError, UnreadableFileError):
        raise
    except Exception as error:  # each library has its own kinds
        problem = f"{error} {error.__cause__ or ''}".lower()
        raise UnreadableFileError(PROTECTED if "password" in problem else BROKEN) from error


if __name__ == "__main__":
    main(sys.argv[1:])
