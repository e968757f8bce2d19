"""What the documents say exists, exists: links, files, commands of make, variables, and one number for the version."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from markdown_it.token import Token
from packaging.version import Version

from api.application import openapi_document
from settings import ROOT, VERSION
from tests import markdown
from tests.conftest import variables

README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DOCUMENTS = markdown.documents(ROOT)
TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)", re.MULTILINE)
COMMAND = re.compile(r"(?:^|&& *)(?:[A-Z0-9_]+=\S* +)*make +([a-z][a-z-]*)", re.MULTILINE)
ENTRY = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})")
FILE = re.compile(r"[\w./-]*\w\.(?:py|txt|jinja|md|ipynb|sh|toml|yaml|conf)|\w[\w./-]*/")


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


def named_paths(words: Iterable[str]) -> list[str]:
    """What looks like a file or a folder of ours among words, without what stands behind a colon."""
    paths = [word.partition(":")[0] for word in words]
    return [path for path in paths if FILE.fullmatch(path)]


def rooms() -> set[str]:
    """The folders and files of the top level that hold code."""
    folders = {f"{path.parent.name}/" for path in ROOT.glob("*/__init__.py")}
    return folders | {path.name for path in ROOT.glob("*.py")}


def test_the_readme_is_one_page() -> None:
    assert len(README.read_bytes()) <= 9_000


def test_the_tree_names_what_is_there_and_leaves_no_room_out() -> None:
    (tree,) = (block for block in markdown.fences(section(README, "What is where"), ""))
    paths = named_paths(re.findall(r"[\w./]+", tree))
    assert [path for path in paths if not any(ROOT.rglob(path))] == []
    folders = {room for room in rooms() if room.endswith("/")}
    assert folders - {word for line in tree.splitlines() for word in line.split()} == set()


def test_the_architecture_names_what_is_there_and_leaves_no_room_out() -> None:
    words = list(markdown.codes(blocks(ARCHITECTURE)))
    paths = named_paths(words)
    assert len(paths) > 40
    assert [path for path in paths if not any(ROOT.rglob(path))] == []
    assert rooms() - set(paths) == set()


def test_each_step_of_the_way_is_a_function() -> None:
    steps = [word.split(":") for word in markdown.codes(blocks(ARCHITECTURE)) if re.fullmatch(r"[\w/]+\.py:\w+", word)]
    assert len(steps) > 12
    assert [step for step in steps if not re.search(rf"def {step[1]}\(", (ROOT / step[0]).read_text())] == []


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
    cells = [row[0] for table in markdown.tables(blocks(ROOT / "docs" / "settings.md")) for row in table[1:]]
    listed = {word for cell in cells for word in markdown.codes([cell])}
    assert listed == set(variables())


def test_every_variable_is_named_in_a_document() -> None:
    found = {word for page in DOCUMENTS for code in codes(page) for word in re.findall(r"[A-Z][A-Z0-9_]+", code)}
    assert sorted(set(variables()) - found) == []


def test_the_changelog_begins_with_the_version_and_goes_back() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    headings = headings[1:] if headings[0] == "[Unreleased]" else headings
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
