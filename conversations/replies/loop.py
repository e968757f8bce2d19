"""The one event loop, in a background thread, in which every reply runs. Knows nothing of replies."""

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
    """The event loop of all replies, started by the first caller. From any thread."""
    with _lock:
        return _start()
