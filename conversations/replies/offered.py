"""What a project's file says answers and may be called, held against what is there. Knows backends and tools; no table.

A stranger may have written it: what is not there is named and left out, and what it sets is named as well.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import backends
from settings import Settings, SettingsError
from tools import list_tools


def held_here(project: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The backend, model and tools of a project that hold here; `notes` get what is set so, and what is not."""
    settings = backends.read_settings()
    backend, tools = project["backend"], project["tools"]
    found: dict[str, Any] = {"backend": None, "model": None, "tools": None}
    if backend is not None:
        problem = _backend_problem(backend, settings)
        if problem is None:
            found |= {"backend": backend, "model": project["model"]}
            notes.append(f"its project answers with {':'.join(filter(None, (backend, project['model'])))}")
        else:
            notes.append(f"its project answers as usual, its backend is left out: {problem}")
    if tools is not None:
        problems = dict(_tool_problems(tools, settings)) if tools else {}
        found["tools"] = [name for name in dict.fromkeys(tools) if name not in problems]
        notes.append(f"its project's tools that are on: {', '.join(found['tools']) or 'none'}")
        notes += [f"its project's tool {name!r} is left out: {problem}" for name, problem in problems.items()]
    return found


def _backend_problem(name: str, settings: Settings) -> str | None:
    if name not in backends.names():
        return f"there is no backend {name!r} here; there is {', '.join(backends.names())}"
    return backends.availability_error(name, settings)


def _tool_problems(names: list[str], settings: Settings) -> Iterator[tuple[str, str]]:
    """Those that are not there, or cannot be used, and why."""
    try:
        there = {info.name: info for info in list_tools(settings)}
    except SettingsError as error:  # of mcp.json
        yield from ((name, str(error)) for name in names)
        return
    for name in names:
        problem = there[name].availability_error if name in there else "there is none of this name here"
        if problem:
            yield name, problem
