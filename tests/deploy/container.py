"""Builds and runs images with docker, or podman, which takes the same commands. Knows nothing of what is inside.

CONTAINER names the command, with options where it needs some; BUILD_OPTIONS goes to `build`, as for a package index.
"""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ABSENT = "neither docker nor podman answers `info`: start one, or name one in CONTAINER"


@cache
def engine() -> tuple[str, ...] | None:
    """The command whose engine answers; None where none does."""
    named = os.environ.get("CONTAINER")
    for command in [shlex.split(named)] if named else [["docker"], ["podman"]]:
        try:
            if subprocess.run([*command, "info"], capture_output=True, timeout=300, check=False).returncode == 0:
                return tuple(command)
        except FileNotFoundError:
            continue
    return None


def told(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One command of the engine, to its end. Raises AssertionError with what it said where it failed."""
    docker = {**os.environ, "BUILDAH_FORMAT": "docker"}  # podman's own form of an image knows no HEALTHCHECK
    done = subprocess.run([*(engine() or ()), *arguments], capture_output=True, text=True, check=False, env=docker)
    assert not check or done.returncode == 0, f"{arguments[:2]} ended with {done.returncode}: {done.stderr[-3000:]}"
    return done


def build(tag: str, folder: Path, **arguments: str) -> None:
    """The Dockerfile of a folder, with these build arguments."""
    given = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    told("build", *shlex.split(os.environ.get("BUILD_OPTIONS", "")), *given, "-t", tag, str(folder))


def size(tag: str, *folders: str) -> int:
    """Bytes, unpacked; of the whole, or of these folders."""
    counted = told("run", "--rm", "--user", "0", tag, "du", "-sxbc", *(folders or ("/",))).stdout
    return int(counted.splitlines()[-1].split()[0])


def facts(tag: str) -> dict[str, Any]:
    """What the image says of itself: Env, User, Volumes, Healthcheck, Labels."""
    found: dict[str, Any] = json.loads(told("image", "inspect", tag).stdout)[0]
    return {**found["Config"], "Healthcheck": found.get("Healthcheck") or found["Config"].get("Healthcheck")}


def history(tag: str) -> str:
    """Every step that made it, and all it says of itself."""
    return told("history", "--no-trunc", tag).stdout + told("image", "inspect", tag).stdout


def once(tag: str, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command in a container that nothing is kept of; its code and what it wrote."""
    return told("run", "--rm", *options, tag, *command, check=False)


@dataclass
class Container:
    """One that runs."""

    name: str

    def inside(self, *command: str) -> str:
        """A command beside what it runs, as its user; what it wrote."""
        return told("exec", self.name, *command).stdout

    def wrote(self) -> str:
        """Its log."""
        done = told("logs", self.name)
        return done.stdout + done.stderr

    def stop(self, seconds: int = 10) -> int:
        """SIGTERM, and SIGKILL where it has not ended after that; its exit code, 137 where it was killed."""
        told("stop", "-t", str(seconds), self.name)
        return int(told("inspect", "--format", "{{.State.ExitCode}}", self.name).stdout)

    def changed(self) -> set[str]:
        """The files and folders that differ from the image's."""
        return {line.partition(" ")[2] for line in told("diff", self.name).stdout.splitlines()}


@contextmanager
def started(tag: str, *command: str, options: tuple[str, ...] = (), **variables: str) -> Iterator[Container]:
    """A container in the background while the block runs."""
    given = [part for name, value in variables.items() for part in ("-e", f"{name}={value}")]
    name = told("run", "-d", *given, *options, tag, *command).stdout.strip().splitlines()[-1]
    try:
        yield Container(name)
    finally:
        told("rm", "-f", "-v", name)


@contextmanager
def volume(name: str) -> Iterator[str]:
    """An empty one, gone after the block."""
    told("volume", "create", name)
    try:
        yield name
    finally:
        told("volume", "rm", "-f", name)
