"""Loads the chosen backend in the background while the page already shows. Knows no page."""

import asyncio
import logging
import threading

from langchain_core.exceptions import ModelError

import backends
from conversations.loop import loop
from settings import Settings

log = logging.getLogger(__name__)
_started: set[str] = set()
_lock = threading.Lock()


def preload(name: str | None, settings: Settings) -> None:
    """Start loading, once for each backend; a failure is logged and shown by the first reply."""
    with _lock:
        if name is None or name in _started:
            return
        _started.add(name)
    log.info("backend: %s (%s)", name, backends.choose(settings).reason)
    asyncio.run_coroutine_threadsafe(_load(name, settings), loop())


async def _load(name: str, settings: Settings) -> None:
    try:
        await asyncio.to_thread(backends.load, name, settings)
    except ModelError as error:
        log.warning("%s", error)
