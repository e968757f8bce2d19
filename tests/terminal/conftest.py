"""The command line between pipes, and `chat` in a pseudo-terminal, typed at as a person does."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pexpect
import pytest

import cli
from settings import ROOT
from tests import fork
from tests.api.conftest import serve as serve

UP, TAB, CTRL_C, CTRL_D, ALT_ENTER = "\x1b[A", "\t", "\x03", "\x04", "\x1b\r"


class Chat:
    """The program, its keyboard and its screen."""

    def __init__(self, *words: str, **environment: str) -> None:
        variables = {**os.environ, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **environment}
        self.child = pexpect.spawn(
            sys.executable,
            [str(ROOT / "cli.py"), "chat", *words],
            env=variables,
            encoding="utf-8",
            timeout=300,
            dimensions=(50, 150),
        )
        self.shown = ""

    def expect(self, text: str) -> str:
        """Wait for a text; what was drawn before it."""
        self.child.expect_exact(text)
        self.shown += self.child.before + text
        return str(self.child.before)

    def send_line(self, text: str) -> None:
        """A line and Enter."""
        self.child.send(text + "\r")

    def send_key(self, key: str) -> None:
        """One key."""
        self.child.send(key)

    def wait_for_prompt(self) -> str:
        """Wait for the program to read a line."""
        return self.expect("\x1b[?2004h")  # bracketed paste is switched on

    def wait_for_exit(self) -> int:
        """Wait for the end; the exit code."""
        self.child.expect(pexpect.EOF)
        self.shown += self.child.before
        self.child.wait()
        self.child.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -(self.child.signalstatus or 0))


Start = Callable[..., Chat]


@pytest.fixture
def chat() -> Iterator[Start]:
    """Starts one; it answers from llamacpp unless told."""
    with ExitStack() as stack:

        def begin(*words: str, wait: str = "", **environment: str) -> Chat:
            """`wait`: what it asks before it reads the first line."""
            made = Chat(*words, **{"LLM_BACKEND": "llamacpp", **environment})
            stack.callback(made.child.close, force=True)
            made.expect(wait) if wait else made.wait_for_prompt()
            return made

        yield begin


class Result(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


def run_process(*words: str, said: str | bytes = b"", **environment: str) -> Result:
    """The command line in a process of its own; `said` comes through the pipe."""
    command = [sys.executable, str(ROOT / "cli.py"), *words]
    given = said.encode() if isinstance(said, str) else said
    done = fork.run(command, given=given, env={**os.environ, **environment}, timeout=300)
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], fresh_backends: None) -> Run:
    """The same in this process, where `ask` may reach a server once: its client belongs to an event loop."""

    def command(*words: str, said: str | bytes = b"", **environment: str) -> Result:
        piped = io.BytesIO(said.encode() if isinstance(said, str) else said)
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["cli.py", *words])
            patch.setattr(sys, "stdin", io.TextIOWrapper(piped, "utf-8"))
            try:
                code = cli.main()
            except SystemExit as end:
                code = int(end.code or 0)
        out, err = capsysbinary.readouterr()
        return Result(code, out.decode(), err.decode())

    return command
