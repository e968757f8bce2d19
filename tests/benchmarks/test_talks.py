"""Whole conversations, measured for real with the shipped model, one of them over the code of a checkout."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.talks import CHATS, REPLY, TURNS, prose
from settings import ROOT


def test_conversations_and_restarts_are_measured_beside_another_checkout(tmp_path: Path) -> None:
    out = tmp_path / "talks.json"
    command = [sys.executable, "-m", "benchmarks.talks", "talks", "restart", "--models", "shipped", "--rounds", "1"]
    command += ["--beside", str(ROOT), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text(encoding="utf-8"))
    for answer in found["shipped/talks"][0].values():
        assert answer["tokens"] == CHATS * TURNS * REPLY
        assert [len(firsts) for firsts in answer["firsts"]] == [TURNS] * CHATS
    assert all(answer["first"] > 0 for answer in found["shipped/restart"][0].values())
    assert "| first token after a restart (s) |" in done.stdout
    assert "ours / older" in done.stdout


def test_a_folder_that_is_no_checkout_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.talks", "--beside", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 2
    assert "no checkout of this project" in done.stderr


def test_what_is_said_again_is_prose_of_three_hundred_words() -> None:
    assert len(prose().split()) == 300
