"""The event loop of all MCP servers, in a background thread: a connection lives in the loop that made it. Knows none.

Replies run in another loop; what they ask for here is cancelled here when they are stopped.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")
_lock = threading.Lock()


@cache
def _start() -> asyncio.AbstractEventLoop:
    new_loop = asyncio.new_event_loop()
    threading.Thread(target=new_loop.run_forever, name="mcp", daemon=True).start()
    return new_loop


def submit(coroutine: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Have it run in that loop, which the first caller starts. From any thread."""
    with _lock:
        loop = _start()
    return asyncio.run_coroutine_threadsafe(coroutine, loop)


async def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Its result, for a caller in another loop; cancelled with him."""
    return await asyncio.wrap_future(submit(coroutine))
