"""Priorities of threads that compute: vectors come after whoever waits for a reply. Knows the system; no model."""

import os
import sys
import threading
from contextlib import suppress

LOWEST = 19
HAS_PRIORITIES = sys.platform == "linux"  # only there have threads priorities of their own


def lower_priority() -> None:
    """Put this thread, and those that it starts, after all others."""
    if HAS_PRIORITIES:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
