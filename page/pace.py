"""How often growing replies are looked at: a tick for few, less often for many, so that this process keeps pace.

A browser sends its ticks whether or not the one before was answered: with more of them than a core can answer, none is.
Knows neither replies nor pages; for one process.
"""

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

TICK = 0.06  # seconds between two looks
EACH = 0.008  # and at least as many for each that is followed; a look takes half of it on a slow core
SLACK = 1.5  # a page whose ticks are so much too quick is drawn anew
GONE = 3.0  # seconds without a look after which nobody follows
Given = ParamSpec("Given")

_looked: dict[object, float] = {}
_lock = threading.Lock()


def often(look: Callable[Given, object], what: object, least: float = TICK) -> Callable[Given, None]:
    """`look` as a fragment that runs again after `least` seconds, or later where many are followed; `what` is one."""
    _note(what)
    every = max(least, tick())

    @wraps(look)
    def again(*arguments: Given.args, **named: Given.kwargs) -> None:
        _note(what)
        if tick() > SLACK * every:
            st.rerun()
        look(*arguments, **named)

    return st.fragment(again, run_every=every)


def tick() -> float:
    """Seconds between two looks now."""
    with _lock:
        return max(TICK, EACH * len(_looked))


def _note(what: object) -> None:
    """Somebody looks; who has not done so for long is forgotten."""
    now = time.monotonic()
    with _lock:
        slow = max(GONE, 3 * EACH * len(_looked))
        for gone in [each for each, then in _looked.items() if now - then > slow]:
            del _looked[gone]
        _looked[what] = now
