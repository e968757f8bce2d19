"""What a test needs beside Python, found in its code: a process (`server`), a `browser`, a `database`, or `postgresql`.

A test needs what its own code names, that of its fixtures, and that of what these call in tests/. Where our own code
starts the process, the test is marked by hand: one that is not marked fails as soon as it starts Python.
"""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pexpect
import playwright.sync_api
import pytest
from streamlit.testing.v1 import AppTest

from benchmarks import postgresql
from conversations.store import Database, Store, open_store
from tests import fork

SERVER, DATABASE, BROWSER = frozenset({"server"}), frozenset({"database"}), frozenset({"browser"})
POSTGRESQL = frozenset({"server", "database", "postgresql"})
SOURCES: dict[Any, frozenset[str]] = {
    subprocess: SERVER,
    fork: SERVER,
    pexpect: SERVER,
    AppTest: DATABASE,
    Database: DATABASE,
    Store: DATABASE,
    open_store: DATABASE,
    postgresql.start_postgresql: POSTGRESQL,
    playwright.sync_api.sync_playwright: BROWSER,
}
STORED = ("tests/api/", "tests/page/", "tests/terminal/")  # what is tried there goes through the store
READER = ["python", "-m", "documents.child"]  # reads a file for a moment, and serves nobody
_running: list[pytest.Item] = []


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark it."""
    for name in sorted(_needs(item) | (DATABASE if item.nodeid.startswith(STORED) else frozenset())):
        item.add_marker(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Remember for whom processes are started."""
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.pop()


def _started(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to start Python for a test that is not marked."""
    started = arguments[1] if event == "subprocess.Popen" and _running and arguments[0] == sys.executable else READER
    if started[1:3] != READER[1:3]:
        assert any(_running[-1].iter_markers("server")), f"{_running[-1].nodeid} needs the marker `server`"


sys.addaudithook(_started)


def _needs(item: pytest.Item) -> frozenset[str]:
    if not isinstance(item, pytest.Function):
        return frozenset()
    fixtures = [found[-1].func for found in item._fixtureinfo.name2fixturedefs.values()]
    found = frozenset[str]().union(*(_reached(function) for function in (item.function, *fixtures)))
    call = getattr(item, "callspec", None)
    return found | POSTGRESQL if call and call.params.get("database_url") == "postgresql" else found


@cache
def _reached(part: Any) -> frozenset[str]:
    """What a function or class of tests/ names, directly or through others."""
    found, todo, seen = frozenset[str](), [part], set[int]()
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, ModuleType | FunctionType | type) and part in SOURCES:
            found |= SOURCES[part]
        elif isinstance(part, type) and part.__module__.startswith("tests."):
            todo += vars(part).values()
        else:
            function = getattr(part, "__wrapped__", part)
            if isinstance(function, FunctionType) and function.__module__.startswith("tests."):
                todo += [function.__globals__[n] for n in _names(function.__code__) if n in function.__globals__]
    return found


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
