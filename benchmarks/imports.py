"""What the import of a large file takes: time and the most memory of `cli.py import`, on a new SQLite file.

The file is a list of conversations in Claude's form, with words of several alphabets. It is written first, and deleted.

Examples:
  python -m benchmarks.imports
  python -m benchmarks.imports --megabytes 100 --json
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from settings import ROOT

WORDS = "The lamp of Skerry burns oil, and nobody sleeps while it is lit. Лампа горит. 灯塔的灯。 🌊 "
PARAGRAPHS = 40  # of each message
MESSAGES = 10  # of each conversation


def conversation(number: int) -> str:
    """One conversation as JSON, of some 60 kB."""
    said = [f"{number}.{at} " + WORDS * PARAGRAPHS for at in range(MESSAGES)]
    messages: list[dict[str, Any]] = [
        {"uuid": f"{number}-{at}", "sender": ("human", "assistant")[at % 2], "text": text, "content": []}
        for at, text in enumerate(said)
    ]
    fields = {"uuid": f"talk-{number}", "name": f"Talk {number}", "created_at": "2026-03-29T07:00:00Z"}
    return json.dumps({**fields, "chat_messages": messages}, ensure_ascii=False)


def write(path: Path, size: int) -> int:
    """Write a file of at least `size` bytes; how many conversations are in it."""
    number = 0
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(("[" if number == 0 else ",\n").encode() + conversation(number).encode())
            number += 1
        file.write(b"]")
    return number


def measure(path: Path, database: Path) -> dict[str, float]:
    """Seconds, and the most memory in MB, of one import in a process of its own. Raises RuntimeError where it fails."""
    command = [sys.executable, str(ROOT / "cli.py"), "import", str(path)]
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{database}"}
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
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conversations.json"
        count = write(path, options.megabytes * 1_000_000)
        figures = {"megabytes": options.megabytes, "conversations": count, **measure(path, Path(folder) / "c.db")}
    if options.json:
        print(json.dumps(figures))
        return
    print(f"{figures['megabytes']:,} MB, {count:,} conversations: {figures['seconds']:,} s, ", end="")
    print(f"{figures['processor_seconds']:,} s of processor, at most {figures['memory_mb']:,} MB of memory")


if __name__ == "__main__":
    main()
