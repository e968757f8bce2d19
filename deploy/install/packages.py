"""Packages into an environment: by uv, which comes from pip itself, or by pip. Knows no package by name."""

import os
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from deploy.install import pip_configuration
from deploy.install.pip_configuration import UntranslatableError

OUR_OWN = "requirements-install.txt"


class InstallError(Exception):
    """What the installer wrote, to its last lines."""


@dataclass
class Environment:
    """A virtual environment and what installs into it. `uv` is None where pip does it all."""

    python: Path
    uv: Path | None = None
    arguments: list[str] = field(default_factory=list)  # of every `uv pip install`
    variables: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def install(self, *what: str, index: str | None = None, seconds: int | None = None) -> None:
        """Install what pip's arguments name, from `index` alone where one is given, and wait `seconds` for its answers.

        Raises InstallError.
        """
        if self.uv is not None:
            try:
                return self._run_uv(what, index, seconds)
            except InstallError as error:
                if index is not None:  # where it is not there, pip does not find it either
                    raise
                print(f"uv could not install it ({error}); pip tries.", flush=True)
        with self._lock:  # one at a time: pip, unlike uv, locks nothing
            self._run_pip(what, index, seconds)

    def version(self, package: str) -> str | None:
        """The version of a package that is installed there; None where it is not."""
        code = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
        done = subprocess.run([self.python, "-c", code, package], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    def _run_uv(self, what: tuple[str, ...], index: str | None, seconds: int | None) -> None:
        variables = {**os.environ, **self.variables}
        if index is not None:
            variables |= {"UV_DEFAULT_INDEX": index, "UV_HTTP_RETRIES": "0"}
            for others in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_FIND_LINKS"):
                variables.pop(others, None)
        if seconds is not None:
            variables |= {"UV_HTTP_TIMEOUT": str(seconds), "UV_HTTP_CONNECT_TIMEOUT": str(seconds)}
        command = [self.uv, "pip", "install", "--quiet", "--python", self.python, *self.arguments, *what]
        _run([str(part) for part in command], variables)

    def _run_pip(self, what: tuple[str, ...], index: str | None, seconds: int | None) -> None:
        variables = dict(os.environ)
        options = ["--disable-pip-version-check", "--quiet"]
        if index is not None:
            options += ["--index-url", index, "--retries", "0"]
            variables |= {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
        options += ["--timeout", str(seconds)] if seconds is not None else []
        _run([str(self.python), "-m", "pip", "install", *options, *what], variables)


def prepare(python: Path, pins: Path) -> Environment:
    """The environment of `python` with uv in it; with pip alone, and a line that says so, where that cannot be."""
    environment = Environment(python)
    try:
        environment.arguments, environment.variables = pip_configuration.translate(pip_configuration.read(python))
        environment.install("-r", str(pins))
    except UntranslatableError as error:
        print(f"pip installs: its option {error} has no word in uv.", flush=True)
    except InstallError as error:
        print(f"pip installs: uv cannot be had ({error}).", flush=True)
    else:
        environment.uv = python.with_name("uv")
    return environment


def _run(command: list[str], variables: dict[str, str]) -> None:
    """Run to the end, in silence. Raises InstallError with the last lines that it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise InstallError(" ".join(lines[-3:]) or f"{command[0]} ended with {done.returncode}")
