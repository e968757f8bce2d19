"""How much memory this process holds at the moment. Knows /proc; no model."""

import os
from pathlib import Path

STATM = Path("/proc/self/statm")


def resident_memory() -> int | None:
    """Bytes of memory that this process holds, mapped files included; None where the system does not tell."""
    try:
        pages = int(STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
