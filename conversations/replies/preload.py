"""What is fetched in the background while the page already shows: the model, and the names a server offers.

Knows no page.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any

from langchain_core.exceptions import ModelError

import backends
from conversations.replies.loop import loop
from settings import Settings

log = logging.getLogger(__name__)
_started: set[str] = set()
_running: dict[str, int] = {}
_models: dict[str, list[str]] = {}
_lock = threading.Lock()


def _claim(what: str) -> bool:
    """Whether this caller is the first to fetch it."""
    with _lock:
        if what in _started:
            return False
        _started.add(what)
        return True


def preload_model(name: str | None, settings: Settings) -> None:
    """Load a backend's model in the background, once; a failure is logged, and shown by the first reply."""
    if name is not None and _claim(f"load {name}"):
        log.info("backend: %s (%s)", name, backends.choose(settings).reason)
        _run_in_background(name, _load(name, settings))


def reload_model(name: str) -> None:
    """Have `preload_model` load it again, wherever it went since: somebody picked it."""
    with _lock:
        _started.discard(f"load {name}")


def available_models(name: str, settings: Settings) -> list[str] | None:
    """The names of a server's models, [] until they have come; None for a backend that has just one model."""
    if not backends.can_list_models(name):
        return None
    if _claim(f"models {name}"):
        _run_in_background(name, _list_models(name, settings))
    return _models.get(name, [])


def is_fetching(name: str) -> bool:
    """Whether something of this backend is still being fetched."""
    return _running.get(name, 0) > 0


def _run_in_background(name: str, work: Coroutine[Any, Any, None]) -> None:
    with _lock:
        _running[name] = _running.get(name, 0) + 1

    def done(_: object) -> None:
        with _lock:
            _running[name] -= 1

    asyncio.run_coroutine_threadsafe(work, loop()).add_done_callback(done)


def reset() -> None:
    """Forget what was fetched, for a change of settings."""
    with _lock:
        _started.clear()
        _models.clear()


async def _load(name: str, settings: Settings) -> None:
    try:
        lease = await backends.lease(name, settings)
        lease.release(was_used=False)
    except ModelError as error:
        log.warning("%s", error)


async def _list_models(name: str, settings: Settings) -> None:
    try:
        _models[name] = await asyncio.to_thread(backends.list_models, name, settings)
    except ModelError as error:
        log.info("no list of models: %s", error)
