"""The command `backends`: who is ready, here or at a running server. Knows names and states; loads no backend."""

from typing import Any

import backends
from terminal import server
from terminal.options import Url
from terminal.text import strip_control


def show_status(url: Url = None) -> None:
    """Each backend: ready, or what is missing. With --url those of a running server, with their queues.

    Example: python cli.py backends --url http://localhost:8501
    """
    if url is not None:
        _show_remote(server.read_health(server.parse_address(url)))
        return
    settings = backends.read_settings()
    choice = backends.choose(settings)
    for name, problem in backends.status(settings):
        print(format_backend(name, problem, name == choice.name))
    print(f"\n* {choice.name}: {choice.reason}" if choice.name else f"\n{choice.reason}")


def _show_remote(health: dict[str, Any]) -> None:
    for row in health["backends"]:
        name, queue = str(row.get("name")), row.get("queue")
        state = ", ".join(["loaded"] * bool(row.get("loaded")) + [f"{queue} waiting or running"] * bool(queue))
        suffix = f" ({state})" if state else ""
        problem = None if row.get("ready") else str(row.get("problem"))
        print(strip_control(format_backend(name, problem, name == health.get("backend")) + suffix))
    print(strip_control(f"\nstatus {health.get('status')}, version {health.get('version')}"))


def format_backend(name: str, problem: str | None, is_default: bool) -> str:
    """A line for one backend, with a star where it is the default."""
    return f"{'*' if is_default else ' '} {name:<10} {'ready' if problem is None else problem}"
