"""The one background event loop in which every reply runs. Knows nothing of replies."""

import asyncio
import threading
from functools import cache

_lock = threading.Lock()


@cache
def _start() -> asyncio.AbstractEventLoop:
    new_loop = asyncio.new_event_loop()
    threading.Thread(target=new_loop.run_forever, name="replies", daemon=True).start()
    return new_loop


def loop() -> asyncio.AbstractEventLoop:
    """The loop, started by the first caller."""
    with _lock:
        return _start()
