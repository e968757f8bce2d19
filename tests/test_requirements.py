"""What is imported is pinned: a package that comes with another one today may be gone with its next release."""

import ast
import re
import sys
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path

from settings import ROOT

FOR_TESTS = "requirements-dev.txt"
NOT_SERVED = {".venv", "benchmarks", "findings", "node_modules", "notebooks", "tests"}
PINNED_BY_OTHERS = {"pydantic-core"}  # each release of pydantic wants one release of it


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(file: Path) -> set[str]:
    """The packages that a file imports, anywhere in it."""
    found = set[str]()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names


def test_every_package_that_is_imported_is_pinned() -> None:
    pins = {
        normalize(re.split(r"[\[=]", line)[0])
        for file in ROOT.glob("requirements*.txt")
        if file.name != FOR_TESTS
        for line in file.read_text().splitlines()
        if "==" in line
    }
    own = {path.stem for path in ROOT.iterdir()}
    users = defaultdict[str, list[str]](list)
    for file in ROOT.rglob("*.py"):
        if not NOT_SERVED & set(file.relative_to(ROOT).parts):
            for name in imported(file) - own:
                users[name].append(str(file.relative_to(ROOT)))
    distributions = packages_distributions()
    missing = {
        name: files
        for name, files in users.items()
        if not {normalize(each) for each in distributions.get(name, [])} & (pins | PINNED_BY_OTHERS)
    }
    assert not missing
