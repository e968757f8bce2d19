"""A module run as `python -m` runs it, its threads named to the system, which then tells what each of them costs.

Linux only. A thread that a library starts has the name of the one that started it, so that an engine's computing on all
cores goes by the engine's name. Knows threads; nothing of what they do. It imports nothing of ours: what runs may be
another version.
"""

import ctypes
import runpy
import sys
import threading
from pathlib import Path

PR_SET_NAME = 15
LONGEST = 15  # characters that the system keeps


def name_threads() -> None:
    """From now on each thread of Python's that begins tells the system its name."""
    begin, library = threading.Thread.run, ctypes.CDLL(None)

    def run(self: threading.Thread) -> None:
        library.prctl(PR_SET_NAME, self.name.encode()[:LONGEST], 0, 0, 0)
        begin(self)

    threading.Thread.run = run  # type: ignore[method-assign]


def seconds_by_thread(process: int, ticks: int) -> dict[str, float]:
    """Seconds of the processor that the threads of each name have used so far; `ticks`: of its clock a second."""
    used: dict[str, float] = {}
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            stat = (task / "stat").read_text()
        except OSError:  # it has ended meanwhile
            continue
        name, fields = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2 :].split()
        used[name] = used.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / ticks
    return used


if __name__ == "__main__":
    sys.path.pop(0)  # the folder of this file, whose modules have names of ours
    del sys.argv[0]
    name_threads()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
