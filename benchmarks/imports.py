"""What the import of a large file takes: time and the most memory of `cli.py import`, into an empty database.

That is a SQLite file, or a PostgreSQL server of its own, whose time and memory are not among those told.

The file is a list of conversations in Claude's form: paragraphs of words in several alphabets, drawn by chance, the
n-th word n times as rarely as the first, as in a language. It is written first, and deleted.

Examples:
  python -m benchmarks.imports
  python -m benchmarks.imports --megabytes 100 --json
  python -m benchmarks.imports --megabytes 60 --postgresql
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.postgresql import find_binaries, start_postgresql
from settings import ROOT

ALPHABETS = {"etaoinshrdlucmfwypvbgkjqxz": 12, "éèüöäñçßåøaeiounrst": 2, "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъ": 3}
HAN = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))  # characters, of which a sentence is one word without spaces
VOCABULARY = 30_000  # words
PARAGRAPHS = 1_000  # that there are; a message has some of them
LONG = 100  # words of a paragraph
MESSAGES = 10  # of each conversation


def paragraphs(chance: random.Random) -> list[str]:
    """Paragraphs of words, four fifths of them in Latin letters."""
    alphabets = chance.choices([*ALPHABETS, HAN], [*ALPHABETS.values(), 1], k=VOCABULARY)
    words = ["".join(chance.choices(letters, k=chance.randint(2, 11))) for letters in alphabets]
    weights = [1 / rank for rank in range(1, VOCABULARY + 1)]
    drawn = (chance.choices(words, weights, k=LONG) for _ in range(PARAGRAPHS))
    return [" ".join(some).capitalize() + ". 🌊" for some in drawn]


def conversation(number: int, chance: random.Random, known: list[str]) -> str:
    """One conversation as JSON, of some 80 kB."""
    said = [f"{number}.{at} " + "\n\n".join(chance.choices(known, k=8)) for at in range(MESSAGES)]
    messages: list[dict[str, Any]] = [
        {"uuid": f"{number}-{at}", "sender": ("human", "assistant")[at % 2], "text": text, "content": []}
        for at, text in enumerate(said)
    ]
    fields = {"uuid": f"talk-{number}", "name": f"Talk {number}", "created_at": "2026-03-29T07:00:00Z"}
    return json.dumps({**fields, "chat_messages": messages}, ensure_ascii=False)


def write(path: Path, size: int) -> int:
    """Write a file of at least `size` bytes; how many conversations are in it."""
    number, chance = 0, random.Random(1)
    known = paragraphs(chance)
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(("[" if number == 0 else ",\n").encode() + conversation(number, chance, known).encode())
            number += 1
        file.write(b"]")
    return number


@contextmanager
def empty_database(folder: Path, is_postgresql: bool) -> Iterator[str]:
    """The URL of a new database. Raises SystemExit where PostgreSQL is not installed."""
    if not is_postgresql:
        yield f"sqlite:///{folder / 'c.db'}"
        return
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is not installed here: apt-get install postgresql")
    with start_postgresql(binaries) as server, server.database() as url:
        yield url


def measure(path: Path, url: str) -> dict[str, float]:
    """Seconds, and the most memory in MB, of one import in a process of its own. Raises RuntimeError where it fails."""
    command = [sys.executable, str(ROOT / "cli.py"), "import", str(path)]
    environment = {**os.environ, "DATABASE_URL": url}
    begun = time.monotonic()
    _, status, used = os.wait4(os.posix_spawn(sys.executable, command, environment), 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "memory_mb": round(used.ru_maxrss * 1024 / 1e6, 1),
    }


def main() -> None:
    """Write the file, import it, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the file (default: 1000)")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server that is started for it")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, empty_database(Path(folder), options.postgresql) as url:
        path = Path(folder) / "conversations.json"
        count = write(path, options.megabytes * 1_000_000)
        figures = {"megabytes": options.megabytes, "conversations": count, **measure(path, url)}
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{figures['megabytes']:,} MB, {count:,} conversations: {figures['seconds']:,} s, ", end="")
    print(f"{figures['processor_seconds']:,} s of processor, at most {figures['memory_mb']:,} MB of memory")


if __name__ == "__main__":
    main()
