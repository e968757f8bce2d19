"""The servers of one `mcp.json`: started by the first who asks, anew when the file changes, ended with the process.

Knows connections and the file; nothing of who may call what.
"""

import atexit
import concurrent.futures
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from settings import Settings, install_hint
from tools.mcp.config import ServerEntry, read_config
from tools.mcp.connection import Connection
from tools.mcp.loop import submit
from tools.settings import ToolSettings

INSTALL = "pip install -r requirements-tools.txt"
END_SECONDS = 10.0  # for all servers to end
Stamp = tuple[int, int] | None


class _Running(NamedTuple):
    """What runs for one file, as it was then."""

    stamp: Stamp
    connections: list[Connection]


_running: dict[Path, _Running] = {}
_lock = threading.Lock()


def connections(settings: Settings) -> Sequence[Connection]:
    """The connections to the servers of MCP_CONFIG, which are started where they are not. Raises SettingsError."""
    path = settings.group(ToolSettings).mcp_config.resolve()
    with _lock:
        running, stamp = _running.get(path), _stamp(path)
        if running is None or running.stamp != stamp:
            if running is not None:
                _end([running])
            _running[path] = running = _begin(stamp, read_config(path))
        return running.connections


def wait(settings: Settings, seconds: float) -> None:
    """Wait until each server is there or has failed once, so many seconds at most. Raises SettingsError."""
    end = threading.Event()
    timer = threading.Timer(seconds, end.set)
    timer.start()
    for connection in connections(settings):
        while not (connection.tried.wait(0.05) or end.is_set()):
            pass
    timer.cancel()


def stop() -> None:
    """End every server, and wait for it."""
    with _lock:
        _end(list(_running.values()))
        _running.clear()


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _begin(stamp: Stamp, entries: Sequence[ServerEntry]) -> _Running:
    if find_spec("mcp") is None:
        problem = install_hint("mcp", INSTALL, "EXTRAS=tools")
        entries = [entry._replace(config=None, problem=problem) for entry in entries]
    found = [Connection(entry) for entry in entries]
    for connection in found:
        submit(connection.start())
    return _Running(stamp, found)


def _end(running: Sequence[_Running]) -> None:
    ending = [submit(connection.end()) for each in running for connection in each.connections]
    concurrent.futures.wait(ending, END_SECONDS)


atexit.register(stop)
