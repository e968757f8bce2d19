"""The command `backends`: who is ready, here or at a running server. Knows names and states; loads no backend."""

from typing import Any

import backends
from terminal import server
from terminal.options import Url
from terminal.text import plain


def show(url: Url = None) -> None:
    """Each backend: ready, or what is missing. With --url those of a running server, with their queues.

    Example: python cli.py backends --url http://localhost:8501
    """
    if url is not None:
        _remote(server.health(server.address(url)))
        return
    settings = backends.read()
    choice = backends.choose(settings)
    for name, problem in backends.status(settings):
        print(line(name, problem, name == choice.name))
    print(f"\n* {choice.name}: {choice.reason}" if choice.name else f"\n{choice.reason}")


def _remote(health: dict[str, Any]) -> None:
    for row in health["backends"]:
        name, queue = str(row.get("name")), row.get("queue")
        state = ", ".join(["loaded"] * bool(row.get("loaded")) + [f"{queue} waiting or running"] * bool(queue))
        beside = f" ({state})" if state else ""
        problem = None if row.get("ready") else str(row.get("problem"))
        print(plain(line(name, problem, name == health.get("backend")) + beside))
    print(plain(f"\nstatus {health.get('status')}, version {health.get('version')}"))


def line(name: str, problem: str | None, chosen: bool) -> str:
    """One backend."""
    return f"{'*' if chosen else ' '} {name:<10} {'ready' if problem is None else problem}"
