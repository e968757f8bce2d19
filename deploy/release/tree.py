"""The working tree as a release wants it: nothing uncommitted, one version, told in the changelog, not tagged yet."""

import ast
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from deploy.release import markdown
from deploy.release.step import Refusal, Release

ENTRY = re.compile(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})")
CHANGELOG, SETTINGS = "CHANGELOG.md", "settings.py"


class Entry(NamedTuple):
    """A version and its day, as the changelog heads them."""

    version: str
    date: str


def git(root: Path, *words: str) -> str:
    """What git says. Raises Refusal where it fails."""
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip() or f"exit {done.returncode}"
        raise Refusal(f"git {words[0]}: {said}", "run it in a clone that git can read")
    return done.stdout


def entries(root: Path) -> list[Entry]:
    """The changelog's versions, as they stand. Raises Refusal for a heading of another form, or a missing file."""
    path, found = root / CHANGELOG, list[Entry]()
    for heading in markdown.headings(markdown.read(path), "h2") if path.is_file() else ():
        if (match := ENTRY.fullmatch(heading)) is None:
            raise Refusal(f"{CHANGELOG}: {heading!r} heads no version", "write it as ## [1.2.3] - 2026-01-31")
        found.append(Entry(*match.groups()))
    if not found:
        raise Refusal(f"{CHANGELOG}: no version in it", "begin it with ## [1.2.3] - 2026-01-31")
    return found


def version(root: Path) -> str:
    """VERSION as the settings have it. Raises Refusal where they have none."""
    path = root / SETTINGS
    for node in ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else ():
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VERSION":
            return str(ast.literal_eval(node.value))
    raise Refusal(f"{SETTINGS}: no VERSION in it", 'write VERSION = "1.2.3" there')


def check(release: Release) -> str:
    """Raises Refusal for what is uncommitted, a version the changelog does not begin with, or a tag that is there."""
    root = release.root
    if left := git(root, "status", "--porcelain"):
        raise Refusal(f"not committed:\n{left.rstrip()}", "commit, or put away, what is listed")
    ours, newest = version(root), entries(root)[0].version
    if ours != newest:
        raise Refusal(
            f"{SETTINGS} says VERSION {ours}, {CHANGELOG} begins with {newest}",
            f"set VERSION, or write what {ours} brings at the top of {CHANGELOG}",
        )
    if git(root, "tag", "--list", f"v{ours}").strip():
        raise Refusal(f"the tag v{ours} is there already", f"a released version stays: raise VERSION and {CHANGELOG}")
    return f"clean, version {ours}, to be tagged v{ours}"
