"""Who may import whom, read from the files; and the sizes we keep."""

import ast
import statistics
from pathlib import Path

import pytest

from settings import ROOT

# A room may import those to its right, and itself.
ALLOWED = {
    "server": {"app", "api", "page", "exposure", "identity", "conversations", "documents", "chains", "backends",
               "prompts", "settings"},
    "app": {"page", "conversations", "documents", "chains", "backends", "prompts", "settings"},
    "api": {"exposure", "identity", "conversations", "documents", "chains", "backends", "prompts", "settings"},
    "page": {"exposure", "identity", "conversations", "documents", "chains", "backends", "prompts", "settings"},
    "cli": {"server", "api", "terminal", "conversations", "documents", "chains", "backends", "prompts", "settings"},
    "exposure": {"backends", "settings"},
    "identity": {"conversations", "settings"},
    "conversations": {"documents", "chains", "backends", "prompts", "settings"},
    "documents": {"settings"},
    "chains": {"backends", "prompts", "settings"},
    "backends": {"prompts", "settings"},
    "training": {"prompts"},
    "terminal": {"conversations", "documents", "chains", "backends", "prompts", "settings"},
    "benchmarks": {"api", "conversations", "documents", "chains", "backends", "prompts", "settings", "training"},
    "deploy": {"api", "conversations", "documents", "chains", "backends", "prompts", "settings"},
    "prompts": set(),
    "settings": set(),
}  # fmt: skip


def sources(room: str) -> list[Path]:
    """The files of a room, which is a module or a folder."""
    return [path] if (path := ROOT / f"{room}.py").exists() else sorted((ROOT / room).rglob("*.py"))


SOURCES = [path for room in ALLOWED for path in sources(room)]


def imports(path: Path) -> set[str]:
    """The first part of every module that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_arrow_runs_the_other_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    ours = imports(path) & set(ALLOWED)
    assert ours <= ALLOWED[room] | {room}


def test_every_room_is_known() -> None:
    rooms = {p.parent.name for p in ROOT.glob("*/__init__.py")} | {p.stem for p in ROOT.glob("*.py")}
    assert rooms - {"tests"} == set(ALLOWED)


def test_files_are_small() -> None:
    lengths = [len(p.read_text().splitlines()) for p in SOURCES]
    assert statistics.median(lengths) < 150
    assert max(lengths) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_each_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_the_backends_rooms_are_not_imported_by_name_elsewhere() -> None:
    """Pages, commands and chains know backends through `backends` alone."""
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] in {"backends"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith("backends."), path
