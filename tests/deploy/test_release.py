"""What is looked at before a tag: each step refuses, in words, what it is there for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from deploy.release import audit, clone, licences, links, markdown, tree
from deploy.release.__main__ import STEPS, check, chosen
from deploy.release.step import Refusal, Release, Skipped
from settings import ROOT

MAKEFILE = "run:\n\t@false\n\ntest:\n\t@echo all is well\n\ntest-image:\n\t@echo no image; exit 3\n"


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A small tree in which nothing is amiss."""
    root, folder = tmp_path / "tree", tmp_path / "made"
    (root / "docs").mkdir(parents=True)
    folder.mkdir()
    (root / "settings.py").write_text('VERSION = "1.2.0"\n')
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## [1.2.0] - 2026-02-01\n\n## [1.1.0] - 2026-01-01\n")
    (root / "README.md").write_text("# It\n\n## How it's *done*\n\n[more](docs/more.md#how-it-goes)\n")
    (root / "docs" / "more.md").write_text("## How it goes\n\n[back](../README.md#how-its-done), [all](/README.md)\n")
    (root / "Makefile").write_text(MAKEFILE)
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "All of it")
    return Release(root, folder)


def refused(step: str, release: Release) -> str:
    """What a step says against a tree, remedy included."""
    with pytest.raises(Refusal) as refusal:
        next(known for known in STEPS if known.name == step).check(release)
    assert refusal.value.remedy
    return str(refusal.value)


def test_a_good_tree_passes(release: Release) -> None:
    assert tree.check(release) == "clean, version 1.2.0, to be tagged v1.2.0"
    assert links.check(release) == "3 links in 3 files"
    assert clone.check(release) == "5 files"
    assert clone.test(release) == "all is well"


def test_a_dirty_tree_is_refused_and_what_is_dirty_named(release: Release) -> None:
    (release.root / "new.txt").write_text("x")
    (release.root / "Makefile").write_text("")
    assert refused("tree", release) == "not committed:\n M Makefile\n?? new.txt"


def test_a_version_that_the_changelog_does_not_begin_with_is_refused(release: Release) -> None:
    (release.root / "settings.py").write_text('VERSION = "1.3.0"\n')
    git(release.root, "commit", "-am", "More")
    assert refused("tree", release) == "settings.py says VERSION 1.3.0, CHANGELOG.md begins with 1.2.0"


def test_a_version_that_is_tagged_is_refused(release: Release) -> None:
    git(release.root, "tag", "v1.2.0")
    assert refused("tree", release) == "the tag v1.2.0 is there already"


@pytest.mark.parametrize(("name", "text", "said"), [
    ("CHANGELOG.md", "## 1.2.0, in spring\n", "CHANGELOG.md: '1.2.0, in spring' heads no version"),
    ("CHANGELOG.md", "# Changelog\n", "CHANGELOG.md: no version in it"),
    ("settings.py", "PORT = 1\n", "settings.py: no VERSION in it"),
])  # fmt: skip
def test_a_version_that_cannot_be_read_is_refused(release: Release, name: str, text: str, said: str) -> None:
    (release.root / name).write_text(text)
    git(release.root, "commit", "-am", "Worse")
    assert refused("tree", release) == said


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    assert refused("tree", Release(tmp_path, tmp_path)).startswith("git status: ")


def test_links_that_lead_nowhere_are_named_with_their_lines(release: Release) -> None:
    (release.root / "README.md").write_text(
        "# It\n\n[a](docs/none.md) ![b](docs/b%20c.png)\n\n| [c](#it) | [d](docs/more.md#gone) |\n|-|-|\n"
        "\n<img src='e.png'>\n\n[f](http://example.org) [g](https://example) [h](../tree2) `[i](none)`\n"
        "[j](https://example.org/j)\n\n    [k](none)\n"
    )
    assert refused("links", release).splitlines() == [
        "README.md:3: docs/none.md: no such file",
        "README.md:3: docs/b%20c.png: no such file",
        "README.md:5: docs/more.md#gone: no heading #gone",
        "README.md:8: e.png: no such file",
        "README.md:10: http://example.org: neither a file of ours nor https",
        "README.md:10: https://example: no well-formed address",
        "README.md:10: ../tree2: leads out of the tree",
        "docs/more.md:3: ../README.md#how-its-done: no heading #how-its-done",
    ]


def test_headings_of_one_name_are_told_apart(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('---\nname: x\n---\n# What `is` it?\n\n## Do\n\n## Do\n\n<a id="here"></a>\n')
    assert markdown.anchors(markdown.read(page)) == {"what-is-it", "do", "do-1", "here"}
    assert markdown.front(page) == {"name": "x"}


def test_every_licence_of_what_a_release_brings_is_known(tmp_path: Path) -> None:
    """The environment that the tests run in."""
    said = licences.check(Release(ROOT, tmp_path, tmp_path / "list.md"))
    assert f"{len(licences.REASONS)} of them with a reason" in said
    rows = [[markdown.plain(cell) for cell in row]
            for table in markdown.tables(markdown.read(tmp_path / "list.md")) for row in table]  # fmt: skip
    origins = {row[0]: row[3] for row in rows if len(row) == 5}
    assert (origins["streamlit"], origins["twilio"]) == ("requirements.txt", "requirements-sms.txt")
    assert origins["pytest"] == "requirements-dev.txt"
    assert ["models/default", "cc-by-sa-4.0"] in rows
    assert ["its data: Taskmaster-4", "CC BY 4.0"] in rows
    assert {
        row[0]: row[-1] for row in rows if len(row) == 5 and row[-1] in licences.REASONS.values()
    } == licences.REASONS


@pytest.mark.parametrize(("licence", "fine"), [
    ("MIT", True), ("Apache-2.0 AND (MIT OR BSD-3-Clause)", True), ("ISC License (ISCL)", True),
    ("Mozilla Public License 2.0 (MPL 2.0)", True), ("3-Clause BSD License", True),
    ("LGPL-3.0-only", False), ("GPLv2", False), ("MIT OR AGPL-3.0", False), ("MIT/GPL", False), ("UNKNOWN", False),
    ("", False), ("Proprietary", False), ("Apache-2.0 AND SSPL-1.0", False), ("GNU General Public License", False),
])  # fmt: skip
def test_a_licence_that_asks_more_is_not_free(licence: str, fine: bool) -> None:
    assert licences.free(licence) is fine
    rows = [
        licences.Row("thing", "1.0", licence, "requirements.txt"),
        licences.Row("tool", "1", "GPLv2", "requirements-dev.txt"),
    ]
    assert list(licences.refused(rows)) == ([] if fine else [f"thing 1.0 (requirements.txt): {licence}"])


def test_without_a_network_the_audit_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip-audit itself, behind a proxy that is not there."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # nor an answer kept from before
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done = audit.ask(["rich==15.0.0"], tmp_path)
    with pytest.raises(Skipped, match="its database cannot be reached"):
        audit.verdict(done.stdout, done.stderr)


def test_an_audit_counts_what_was_looked_at() -> None:
    fine, away = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}
    weak = {"name": "c", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    assert audit.verdict(json.dumps({"dependencies": [fine, away]}), "") == (
        "1 packages without a known weakness; not in the database: b"
    )
    with pytest.raises(Skipped, match="it knows none of 1 packages"):
        audit.verdict(json.dumps({"dependencies": [away]}), "")
    with pytest.raises(Refusal, match="c 2: PYSEC-1"):
        audit.verdict(json.dumps({"dependencies": [fine, weak]}), "")
    with pytest.raises(Refusal, match="no such option"):
        audit.verdict("", "no such option: --x\n")


def test_every_pin_is_audited_by_its_public_version() -> None:
    pins = audit.pins(ROOT)
    assert len(pins) > 100
    assert not any("+" in pin for pin in pins)


def test_a_target_that_fails_is_told_with_its_last_words(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER", "git")  # as if it could build an image
    assert "make test-image ended with 2:\nno image" in refused("image", release)
    assert "make run never answered" in refused("run", release)


def test_an_image_that_nobody_built_is_not_called_good(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER", "no-such-program --with options")
    with pytest.raises(Skipped, match=r"not installed: no-such-program$"):
        clone.image(release)
    monkeypatch.setenv("CONTAINER", "git")  # as if it could build one
    (clone.fresh(release) / "Makefile").write_text("test-image:\n\t@echo 12 skipped in 0.2s\n")
    with pytest.raises(Skipped, match="12 skipped"):
        clone.image(release)
    (clone.fresh(release) / "Makefile").write_text("test-image:\n\t@echo 12 passed in 0.2s\n")
    assert clone.image(release) == "12 passed in 0.2s"


def test_the_clone_hears_none_of_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "LLM_BACKEND", "MAKEFLAGS"):
        monkeypatch.setenv(name, "x")
    assert {"OPENAI_API_KEY", "LLM_BACKEND", "MAKEFLAGS", "VIRTUAL_ENV"}.isdisjoint(clone.stranger())
    assert clone.stranger()["PATH"] == os.environ["PATH"]


def test_the_command_stops_at_a_refusal_and_ends_with_a_table(release: Release, tmp_path: Path) -> None:
    (release.root / "README.md").write_text("[a](none.md)\n")
    git(release.root, "commit", "-am", "Worse")
    done = subprocess.run(
        [sys.executable, "-m", "deploy.release", "--steps", "clone,tree,links", "--root", str(release.root)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert [(row[0], row[1]) for row in rows if row[0]] == [
        ("tree", "ok"),
        ("links", "refused"),
        ("clone", "not reached"),
    ]
    assert "links: refused: README.md:1: none.md: no such file" in done.stdout
    assert "Remedy: mend the links" in done.stdout


def test_steps_are_chosen_by_name_and_keep_their_order() -> None:
    assert [step.name for step in chosen("")] == [step.name for step in STEPS]
    assert [step.name for step in chosen("audit, tree")] == ["tree", "audit"]
    with pytest.raises(typer.BadParameter, match="'lnks' is no step; there are tree, links"):
        chosen("lnks")


def test_the_command_ends_well_where_nothing_is_refused(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    check(steps="tree,links", output=None, root=release.root)
    assert "Not looked at: licences, audit, clone, run, test, image." in capsys.readouterr().out
