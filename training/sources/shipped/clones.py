"""Git repositories at one commit: fetched without what is not needed, or checked where they are. Knows no data."""

import os
import subprocess
import tempfile
from pathlib import Path

from training.sources import UnreachableError


class GitError(OSError):
    """A failure of git; its text is git's own last lines."""


def fetched(url: str, commit: str, paths: tuple[str, ...], folder: Path) -> Path:
    """The folder with these paths at this commit, cloned if it is not there. Raises UnreachableError, ValueError."""
    try:
        if not folder.exists():
            _clone(url, folder)
        resolved = _resolved(url, commit, folder)
        _git(folder, "sparse-checkout", "set", "--no-cone", *(f"/{path}" for path in paths))
        _git(folder, "checkout", "--quiet", "--force", "--detach", resolved)
    except GitError as error:
        raise UnreachableError("shipped", f"{url} at {commit}", error) from error
    return folder


def verified(url: str, commit: str, paths: tuple[str, ...], folder: Path) -> Path:
    """A clone that somebody else made, if its paths are as they were at the commit. Raises OSError, ValueError."""
    remedy = f"git clone {url} {folder} && git -C {folder} checkout {commit}"
    if not folder.exists():
        raise FileNotFoundError(f"shipped: {folder} does not exist: {remedy}")
    # In a folder without its own .git, git would answer for the one above it.
    if not (folder / ".git").exists():
        raise ValueError(f"shipped: {folder} is not a git clone, so its files cannot be checked: {remedy}")
    resolved = _resolved(url, commit, folder)
    wanted = [f":(glob){path}" for path in paths]
    if changed := _git(folder, "diff", "--name-only", resolved, "--", *wanted).splitlines():
        remedy = f"git -C {folder} checkout --force {commit}"
        raise ValueError(f"shipped: {folder / changed[0]} is not as it was at {commit}: {remedy}")
    if added := _git(folder, "ls-files", "--others", "--", *wanted).splitlines():
        raise ValueError(f"shipped: {folder / added[0]} is no part of {url} at {commit}: move it away")
    return folder


def _clone(url: str, folder: Path) -> None:
    """All or nothing: a clone that breaks off leaves no folder of that name."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as part:
        clone = Path(part) / folder.name
        _git(folder.parent, "clone", "--quiet", "--filter=blob:none", "--no-checkout", url, str(clone))
        clone.rename(folder)


def _resolved(url: str, commit: str, folder: Path) -> str:
    """The full hash of a commit, which must be a commit's own hash and no branch or tag that looks like one."""
    try:
        resolved = _git(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    except GitError as error:
        raise ValueError(f"shipped: {folder} has no commit {commit} of {url}: git -C {folder} fetch {url}") from error
    if not resolved.startswith(commit):
        raise ValueError(
            f"shipped: {folder}: {commit} names the commit {resolved}: delete the branch or tag of that name"
        )
    return resolved


def _git(folder: Path, *words: str) -> str:
    # Git must neither ask for a password nor take over the repository of whoever called.
    environment = {k: v for k, v in os.environ.items() if k not in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}}
    try:
        done = subprocess.run(
            ["git", "-c", "core.autocrlf=false", *words],
            cwd=folder,
            env={**environment, "GIT_TERMINAL_PROMPT": "0"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed") from error
    if done.returncode:
        raise GitError((done.stderr.strip() or f"git {words[0]} ended with {done.returncode}").splitlines()[-1])
    return done.stdout.strip()
