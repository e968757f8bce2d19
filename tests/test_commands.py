"""Every command in README and docs/ is run as it stands there, or is marked as one that no test runs, with the reason.

A block of shell below `<!-- not run by a test: REASON -->` is left out. The others run block by block with bash, in a
folder that holds what a clone holds and the files that the documents speak of, against the page that `make run` starts.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt

from settings import ROOT
from tests.conftest import QUICK, answers, free_port, variables
from tests.pdf import pdf

MARK = re.compile(r"<!-- not run by a test: (\S.*?) -->")
NOTES = "Marta kept the lamp of Ardmore for eleven years.\n\nIt was green, and it was lit every evening at six."
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SECONDS = 300  # a hang, not a slow machine
LEFT_OUT = {"data", "runs", "README.md"}  # a clone has none of the first two; commands write there


class Block(NamedTuple):
    """A block of shell, where it stands, and why no test runs it, where none does."""

    place: str
    script: str
    reason: str | None


def blocks(path: Path) -> Iterator[Block]:
    """The blocks of shell of a Markdown file, in their order."""
    reason = None
    for token in MarkdownIt().parse(path.read_text()):
        if token.type == "fence" and token.info.strip() in {"sh", "bash"} and token.map:
            yield Block(f"{path.name}:{token.map[0] + 1}", token.content, reason)
        mark = MARK.search(token.content) if token.type == "html_block" else None
        reason = mark[1] if mark else None


BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]
RUN = [block for block in BLOCKS if block.reason is None]


def environment(folder: Path) -> dict[str, str]:
    """The variables of a user who has set none of ours, but for a small model, a greedy one, and a place to write."""
    ours = {*variables(), "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYTEST_ADDOPTS"}
    clean = {name: value for name, value in os.environ.items() if name not in ours}
    return {
        **clean,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{clean['PATH']}",
        "DATABASE_URL": f"sqlite:///{folder}/conversations.db",
        "LLM_BACKEND": "llamacpp",
        "LLAMA_CPP_KERNELS": "none",  # those that are installed do
        **QUICK,
        "MAX_TOKENS": "12",
        "TEMPERATURE": "0",
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone, with the files that the documents speak of."""
    made = tmp_path_factory.mktemp("clone")
    for path in ROOT.iterdir():
        if path.name not in LEFT_OUT and (path.name == ".venv" or not path.name.startswith(".")):
            (made / path.name).symlink_to(path)
    (made / "notes.txt").write_text(NOTES)
    (made / "notes.pdf").write_bytes(pdf([NOTES]))
    return made


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """Where `make run` serves the page."""
    number = free_port()
    with (folder / "log").open("wb") as log:
        given = {**environment(folder), "PORT": str(number)}
        process = subprocess.Popen(
            ["make", "run"], cwd=folder, stdout=log, stderr=log, env=given, start_new_session=True
        )
    try:
        answers(f"http://127.0.0.1:{number}/_stcore/health", process, SECONDS)
        yield number
    finally:
        os.killpg(process.pid, 15)
        process.wait(SECONDS)


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.place)
def test_a_command_of_the_documents_does_what_it_says(block: Block, folder: Path, port: int) -> None:
    script = re.sub(r"^make run .*$", "", block.script, flags=re.MULTILINE)  # it runs: `port`
    script = script.replace("localhost:8501", f"127.0.0.1:{port}").replace("curl ", "curl --fail-with-body --silent ")
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert ended.returncode == 0, f"{block.place}\n{ended.stdout}\n{ended.stderr}"


def test_most_commands_are_run_and_the_others_say_why() -> None:
    assert {path.name for path in DOCUMENTS} >= {"README.md", "api.md", "settings.md"}
    assert len(RUN) >= 8
    assert all(block.reason for block in BLOCKS if block not in RUN)
