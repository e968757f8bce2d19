"""What is looked at before a tag: each step refuses, in words, what it is there for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings import ROOT

BIN = Path(sys.executable).parent
MAKEFILE = "run:\n\t@false\n\ntest:\n\t@echo all is well $(LLM_BACKEND)\n\ntest-image:\n\t@echo no image; exit 3\n"


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree in which nothing is amiss."""
    root = tmp_path / "tree"
    (root / "tests").mkdir(parents=True)
    (root / "settings.py").write_text('VERSION = "1.2.0"\n')
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.0] - 2026-02-01\n\n## [1.1.0] - 2026-01-01\n")
    (root / ".env.example").write_text("# the backend\n# LLM_BACKEND=\n")
    (root / "Makefile").write_text(MAKEFILE)
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "All of it")
    return root


def check(root: Path, *steps: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The steps run in a tree; what they make is in a folder beside it."""
    made = root.parent / "made"
    made.mkdir(exist_ok=True)
    return subprocess.run(
        [ROOT / "deploy" / "release.sh", *steps],
        cwd=root,
        env={**os.environ, "BIN": str(BIN), "TMPDIR": str(made), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def refused(root: Path, step: str, **variables: str) -> str:
    """What a step says against a tree, remedy left away."""
    done = check(root, step, **variables)
    assert done.returncode == 1
    problem, remedy = done.stdout.split("\nRemedy: ")
    assert remedy
    return problem[problem.index(f"{step}: refused: ") :].removeprefix(f"{step}: refused: ")


def stand_in(folder: Path, **programs: str) -> str:
    """A folder of tools in which some are scripts of a test."""
    folder.mkdir()
    for name in ("python", "pip", "pip-audit", "pip-licenses"):
        (folder / name).symlink_to(BIN / name)
    for name, script in programs.items():
        path = folder / name.replace("_", "-")
        path.unlink()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return str(folder)


def test_a_good_tree_passes_in_the_order_of_the_steps(tree: Path) -> None:
    done = check(tree, "test", "clone", "tree")
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if not line.startswith("Its words")] == [
        "tree: ok: clean, version 1.2.0, to be tagged v1.2.0",
        "clone: ok: 4 files",
        "test: ok: all is well",
        "Not looked at: links licences audit run image.",
    ]
    assert list((tree.parent / "made").iterdir()) == []


def test_a_dirty_tree_is_refused_and_what_is_dirty_named(tree: Path) -> None:
    (tree / "new.txt").write_text("x")
    (tree / "Makefile").write_text("")
    assert refused(tree, "tree") == "not committed:\n M Makefile\n?? new.txt"


def test_a_version_that_the_changelog_does_not_begin_with_is_refused(tree: Path) -> None:
    (tree / "settings.py").write_text('VERSION = "1.3.0"\n')
    git(tree, "commit", "-am", "More")
    assert refused(tree, "tree") == "settings.py says VERSION 1.3.0, CHANGELOG.md begins with 1.2.0"


def test_a_version_that_is_tagged_is_refused(tree: Path) -> None:
    git(tree, "tag", "v1.2.0")
    assert refused(tree, "tree") == "the tag v1.2.0 is there already"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("CHANGELOG.md", "## 1.2.0, in spring\n", "CHANGELOG.md: '1.2.0, in spring' heads no version"),
        ("CHANGELOG.md", "# Changelog\n", "CHANGELOG.md: '' heads no version"),
        ("settings.py", "PORT = 1\n", "settings.py: no VERSION in it"),
    ],
)
def test_a_version_that_cannot_be_read_is_refused(tree: Path, name: str, text: str, problem: str) -> None:
    (tree / name).write_text(text)
    git(tree, "commit", "-am", "Worse")
    assert refused(tree, "tree") == problem


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    assert refused(tmp_path / "bare", "tree", GIT_CEILING_DIRECTORIES=str(tmp_path)).startswith("git cannot read")


def test_a_broken_link_is_refused(tree: Path) -> None:
    """The links themselves are a test's, tests/test_links.py."""
    tools = stand_in(tree.parent / "tools", python='echo "$*: README.md:1: none.md: no such file"; exit 1')
    assert refused(tree, "links", BIN=tools) == "-m pytest -q tests/test_links.py: README.md:1: none.md: no such file"


def test_every_licence_of_the_packages_that_are_installed_is_known(tmp_path: Path) -> None:
    done = check(ROOT, "licences", OUTPUT=str(tmp_path / "list.md"), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert "licences: ok: every package may be given on, 7 of them with a reason" in done.stdout
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in (tmp_path / "list.md").read_text().splitlines()
    ]
    licences = {row[0]: row[2] for row in rows if len(row) == 3}
    assert {"streamlit", "twilio", "pytest"} <= set(licences)
    assert "LGPL" in licences["psycopg"]


@pytest.mark.parametrize("licence", ["LGPL-3.0-only", "MIT OR AGPL-3.0", "Proprietary", ""])
def test_a_licence_that_asks_more_is_refused(tree: Path, licence: str) -> None:
    """pip-licenses itself, over one package more."""
    (tree.parent / "more" / "thing-1.0.dist-info").mkdir(parents=True)
    (tree.parent / "more" / "thing-1.0.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: thing\nVersion: 1.0\n{'License-Expression: ' + licence if licence else ''}\n"
    )
    problem = refused(tree, "licences", PYTHONPATH=str(tree.parent / "more"))
    assert problem == f"license {licence or 'UNKNOWN'} not in allow-only licenses was found for package thing:1.0"


def test_without_a_network_the_audit_is_skipped(tree: Path) -> None:
    """pip-audit itself, behind a proxy that is not there and without an answer kept from before."""
    empty = str(tree.parent / "empty")
    away = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    cache = {"HOME": empty, "PIP_CACHE_DIR": empty, "XDG_CACHE_HOME": empty}
    tools = stand_in(tree.parent / "tools", pip="echo rich==15.0.0")
    done = check(tree, "audit", BIN=tools, **away, **cache)
    assert done.returncode == 0
    assert "audit: skipped: its database cannot be reached (" in done.stdout
    assert "Not looked at: tree links licences audit" in done.stdout


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("echo 'No known vulnerabilities found' >&2", "audit: ok: 2 packages, 0 of them not in the database"),
        ("echo 'b could not be audited: b (1)'", "audit: ok: 2 packages, 1 of them not in the database"),
        ("yes 'x could not be audited' | head -2", "audit: skipped: its database cannot be reached"),
        ("echo 'a 1+cpu PYSEC-1 3'; exit 1", "audit: refused: a 1+cpu PYSEC-1 3"),
        ("echo 'no such option: --x' >&2; exit 2", "audit: refused: no such option: --x"),
        ("grep -q '^a==1$' \"$2\" && grep -q '^b==1$' \"$2\"", "audit: ok: 2 packages"),
    ],
)
def test_an_audit_counts_what_was_looked_at(tree: Path, answer: str, outcome: str) -> None:
    """pip-audit's answers as it writes them; what is asked are the public versions."""
    tools = stand_in(tree.parent / "tools", pip="echo a==1+cpu; echo b==1; echo 'c @ file:///c'", pip_audit=answer)
    assert outcome in check(tree, "audit", BIN=tools).stdout


def test_a_target_that_fails_is_told_with_its_last_words(tree: Path) -> None:
    assert "make test-image ended with 2:\nno image" in refused(tree, "image", CONTAINER="git --as-if")
    assert "make run never answered" in refused(tree, "run")


def test_make_run_is_ended_once_it_has_answered(tree: Path) -> None:
    (tree / "Makefile").write_text(f"run:\n\t@exec {sys.executable} cli.py serve\n")
    (tree / "cli.py").write_text(
        "import os\n"
        "from http.server import BaseHTTPRequestHandler as Base, HTTPServer\n"
        "class Handler(Base):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200)\n"
        "        self.end_headers()\n"
        "    def do_POST(self):\n"
        "        self.do_GET()\n"
        "        self.wfile.write(b'fine, thanks')\n"
        "HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n"
    )
    git(tree, "add", ".")
    git(tree, "commit", "-m", "A server")
    assert "run: ok: answered fine, thanks, ended by SIGTERM\n" in check(tree, "run").stdout


def test_an_image_that_nobody_built_is_not_called_good(tree: Path) -> None:
    done = check(tree, "image", CONTAINER="no-such-program --with options")
    assert "image: skipped: not installed: no-such-program\n" in done.stdout
    for answer, outcome in (("12 skipped in 0.2s", "skipped"), ("12 passed in 0.2s", "ok")):
        (tree / "Makefile").write_text(f"test-image:\n\t@echo {answer}\n")
        git(tree, "commit", "-am", answer)
        assert f"image: {outcome}: {answer}\n" in check(tree, "image", CONTAINER="git --as-if").stdout


def test_the_clone_hears_none_of_our_settings(tree: Path) -> None:
    names = ("LLM_BACKEND", "MAKEFLAGS", "VIRTUAL_ENV", "OUTPUT")
    (tree / "Makefile").write_text(f"test:\n\t@echo what is left: {''.join(f'$({name})' for name in names)}$(OTHER).\n")
    git(tree, "commit", "-am", "Tell")
    done = check(tree, "test", **dict.fromkeys(names, "x"), OTHER="kept")
    assert "test: ok: what is left: kept." in done.stdout


def test_the_command_stops_at_a_refusal(tree: Path) -> None:
    git(tree, "tag", "v1.2.0")
    done = check(tree)
    assert done.returncode == 1
    assert done.stdout.startswith("tree: refused: the tag v1.2.0 is there already\nRemedy: ")
    assert "Not to be released. What the steps made and wrote is in " in done.stdout
    assert "links:" not in done.stdout


def test_a_step_that_there_is_not_is_refused(tree: Path) -> None:
    done = check(tree, "tree", "lnks")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'lnks' is no step; there are tree links licences audit clone run test image" in done.stderr


def test_make_names_the_steps_by_a_comma_list() -> None:
    done = subprocess.run(
        ["make", "-n", "release-check", "STEPS=tree,links", "OUTPUT=list.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
    )
    assert done.stdout.splitlines()[-1] == 'BIN=".venv/bin" OUTPUT="list.md" deploy/release.sh tree links'
