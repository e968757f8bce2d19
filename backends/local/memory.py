"""What a model needs of memory, and what this machine has of it. Knows bytes; no model and no library."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
# A limit and what is used of it, of a control group: version 2, then version 1.
CGROUP_FILES = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
COMFORTABLE = 0.6  # share of the machine's memory that a model may need and leave room for everything else
MOST = 0.9  # share beyond which the system would have to swap, or end a process

Fit = Literal["fits", "tight", "does not fit"]


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes of a loaded model.

    `weights`: its numbers, with what is kept of them a second time; `context`: what chats need at the window chosen;
    `buffers`: vocabulary, and what computing needs; `later`: the part of `context` that is only taken as chats grow.
    """

    weights: int
    context: int
    buffers: int
    later: int = 0

    @property
    def total(self) -> int:
        """The bytes it needs at most, with every chat at its longest."""
        return self.weights + self.context + self.buffers

    @property
    def at_first(self) -> int:
        """The bytes it has taken once it is loaded and has given a first, short reply."""
        return self.total - self.later


class Memory(NamedTuple):
    """Bytes of memory: what this process may use in all (`total`), and what of it is free (`available`)."""

    total: int
    available: int


def machine_memory(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> Memory | None:
    """The memory of this machine, or of the container's limit where that is less; None where nothing tells it."""
    machine = _read_meminfo(meminfo) or _physical_memory()
    limits = [limit for names in CGROUP_FILES if (limit := _read_limit(*(cgroup / name for name in names)))]
    found = [each for each in (machine, *limits) if each is not None]
    if not found:
        return None
    return Memory(min(each.total for each in found), max(0, min(each.available for each in found)))


def judge(needed: int, memory: Memory) -> Fit:
    """Whether so many bytes fit into this memory."""
    if needed > MOST * memory.total:
        return "does not fit"
    return "tight" if needed > COMFORTABLE * memory.total or needed > memory.available else "fits"


def judge_here(needed: int) -> Fit | None:
    """Whether so many bytes fit into this machine's memory; None where nothing tells how much it has."""
    memory = machine_memory()
    return judge(needed, memory) if memory else None


def _read_meminfo(path: Path) -> Memory | None:
    """What Linux tells."""
    with suppress(OSError, ValueError, KeyError):
        fields = dict(_fields(path.read_text()))
        return Memory(fields["MemTotal"], fields.get("MemAvailable", fields["MemTotal"]))
    return None


def _fields(text: str) -> Iterator[tuple[str, int]]:
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if rest.split()[1:] == ["kB"]:
            yield name, int(rest.split()[0]) * 1024


def _physical_memory() -> Memory | None:
    """What other Unixes tell, which is not how much is free."""
    with suppress(OSError, ValueError, AttributeError):
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return Memory(size, size) if size > 0 else None
    return None


def _read_limit(limit: Path, used: Path) -> Memory | None:
    """A control group's; None where it has no limit ("max", or more bytes than any machine has)."""
    with suppress(OSError, ValueError):
        most = int(limit.read_text())
        return Memory(most, most - int(used.read_text())) if 0 < most < 2**60 else None
    return None
