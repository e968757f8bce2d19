"""What the documents say exists, exists: links, files, commands of make, variables, and one number for the version."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it.token import Token
from packaging.version import Version

from api.application import openapi_document
from settings import ROOT, VERSION
from tests import markdown
from tests.conftest import variables

README = ROOT / "README.md"
DOCUMENTS = markdown.documents(ROOT)
# Variables that our documents name and other programs read.
OTHERS = {"FORWARDED_ALLOW_IPS"}
TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)", re.MULTILINE)
COMMAND = re.compile(r"(?:^|&& *)(?:[A-Z0-9_]+=\S* +)*make +([a-z][a-z-]*)", re.MULTILINE)
ENTRY = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})")
FILE = re.compile(r"[\w*./-]*\w\.(?:py|txt|jinja|md|ipynb|sh|toml|yaml|conf)\b|^[\w./-]+/(?=\s)")


def blocks(path: Path) -> list[Token]:
    return markdown.read(path)


def section(path: Path, title: str) -> list[Token]:
    """The blocks beneath a heading of the second level."""
    found = blocks(path)
    starts = [i for i, block in enumerate(found) if block.type == "heading_open" and block.tag == "h2"]
    start = next(i for i in starts if found[i + 1].content == title)
    return found[start : next((i for i in starts if i > start), len(found))]


def codes(path: Path) -> Iterator[str]:
    """What stands in backticks or in a block of code."""
    yield from markdown.codes(blocks(path))
    yield from markdown.fences(blocks(path), "sh", "bash", "")


def drawn() -> Iterator[tuple[Path, str]]:
    """What README's tree names, each with the room beneath which it must stand."""
    room = ROOT
    for line in max(markdown.fences(section(README, "What is where")), key=len).splitlines():
        if not line.startswith(" "):
            first = line.split()[0]
            room = ROOT / first if first.endswith("/") else ROOT
            line = line.removeprefix(first) if room != ROOT else line
        yield from ((room, name) for name in FILE.findall(re.sub(r"`[^`]*`", "", line.strip())))


def test_every_file_of_the_tree_is_there() -> None:
    pairs = list(drawn())
    assert len(pairs) > 150
    assert {room.name for room, _ in pairs} >= {"api", "page", "training", "benchmarks"}
    assert [f"{name} in {room.name}" for room, name in pairs if not stands(room, name.rstrip("/"))] == []


def stands(room: Path, name: str) -> bool:
    """Whether a name, or a pattern, is in the root or anywhere in the room."""
    return any(ROOT.glob(name)) or (room != ROOT and any(room.glob(f"**/{name}")))


def test_every_test_that_is_named_is_there() -> None:
    words = [code for page in DOCUMENTS for code in markdown.codes(blocks(page)) if " " not in code]
    paths = [word for word in words if word.startswith("tests/")]
    assert len(paths) >= 8
    assert [path for path in paths if not (ROOT / path).exists()] == []
    short = [word for word in words if re.fullmatch(r"test_\w+\.py", word)]
    assert [name for name in short if not any((ROOT / "tests").rglob(name))] == []


def test_every_target_of_make_is_there() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(TARGET.findall(text))
    asked = {name for page in DOCUMENTS for code in codes(page) for name in COMMAND.findall(code)}
    assert {"run", "test", "install-train"} <= asked
    assert asked <= targets
    phony = next(line for line in text.splitlines() if line.startswith(".PHONY:")).split()[1:]
    assert targets == set(phony)


def test_the_settings_table_and_the_settings_are_the_same() -> None:
    cells = [row[0] for table in markdown.tables(section(README, "Settings")) for row in table[1:]]
    listed = {word for cell in cells for word in markdown.codes([cell])}
    assert listed <= {*variables(), *OTHERS}


def test_every_variable_is_named_in_a_document() -> None:
    found = {word for page in DOCUMENTS for code in codes(page) for word in re.findall(r"[A-Z][A-Z0-9_]+", code)}
    assert sorted(set(variables()) - found) == []


def test_the_changelog_begins_with_the_version_and_goes_back() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    entries = [ENTRY.fullmatch(heading) for heading in headings]
    versions, dates = zip(*(entry.groups() for entry in entries if entry), strict=True)
    assert (len(versions), versions[0]) == (len(headings), VERSION)
    assert list(dates) == sorted(dates, reverse=True)
    assert list(versions) == sorted(set(versions), key=Version, reverse=True)


def written() -> Iterator[Path]:
    """The files of the tree that could hold our version: not pins of others', weights, or what is hidden and made."""
    for folder, inner, files in os.walk(ROOT):
        inner[:] = [
            n for n in inner if not n.startswith(".") and n not in {"runs", "data", "node_modules", "__pycache__"}
        ]
        for name in files:
            path = Path(folder, name)
            pins = name.startswith("requirements") or name == "package-lock.json"
            if not pins and name not in {"settings.py", "CHANGELOG.md"} and path.stat().st_size < 1_000_000:
                yield path


def test_the_version_stands_in_one_place() -> None:
    number = re.compile(rb"(?<![\w.=])" + re.escape(VERSION).encode() + rb"(?![\w.])")
    files = list(written())
    assert len(files) > 300
    assert [str(path.relative_to(ROOT)) for path in files if number.search(path.read_bytes())] == []
    assert openapi_document()["info"]["version"] == VERSION


def test_the_terminal_tells_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    from cli import app

    with pytest.raises(SystemExit) as end:
        app(["--version"])
    assert (end.value.code, capsys.readouterr().out) == (0, f"{VERSION}\n")
