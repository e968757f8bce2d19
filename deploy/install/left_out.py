"""That llama.cpp was left out for want of a compiler: remembered in .venv/left-out, until it could be had.

The Makefile asks `python -m deploy.install.left_out` where that file is, and tries again where nothing is printed.
"""

import os
import sys
from pathlib import Path

from deploy.install import llama
from deploy.install.llama import NoCompilerError

FILE = "left-out"
AGAIN = "AGAIN=1 make install tries again"
OTHER_WAYS = ("LLAMA_CPP_INDEX_URL", "LLAMA_CMAKE_ARGS")  # variables that, set to something else, are a wish to try


def remember(prefix: Path, words: str) -> None:
    """Keep why it was left out of the environment in `prefix`, and what was asked for."""
    (prefix / FILE).write_text(f"{_ways()}\n{words}\n")


def forget(prefix: Path) -> None:
    """It is there, or is being tried."""
    (prefix / FILE).unlink(missing_ok=True)


def reason(prefix: Path) -> str | None:
    """Why it is still left out; None where it is to be tried: a compiler came, or somebody asks for it."""
    try:
        ways, _, words = (prefix / FILE).read_text().partition("\n")
    except OSError:
        return None
    if os.environ.get("AGAIN") or ways != _ways():
        return None
    try:
        llama.check_compiler()
    except NoCompilerError:
        return words.strip()
    return None


def _ways() -> str:
    return repr([os.environ.get(name) for name in OTHER_WAYS])


if __name__ == "__main__":
    if told := reason(Path(sys.prefix)):
        print(f"llamacpp: {told} ({AGAIN})")
