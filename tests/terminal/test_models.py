"""The commands `models …` as people run them, against a hub on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from settings import ROOT
from tests.conftest import GGUF
from tests.hub import FILE, GATED, ONE, Hub, places
from tests.terminal.conftest import Run

NAME = "me/one/talker-Q4_K_M"


def start(hub: Hub, home: Path) -> subprocess.Popen[str]:
    """The command that downloads it, in a process of its own."""
    command = [sys.executable, str(ROOT / "cli.py"), "models", "get", ONE]
    given = {**os.environ, **places(home), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home, env=given)


def read(run: Run, *words: str) -> Any:
    """What a command says in JSON."""
    done = run("models", *words, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


def wait_for_part(home: Path, size: int) -> Path:
    """The file of a download under way, once it has so many bytes."""
    while True:
        for path in home.rglob("*.part"):
            if path.stat().st_size >= size:
                return path
        time.sleep(0.02)


def test_a_model_is_found_downloaded_described_and_removed(hub: Hub, run: Run, tmp_path: Path) -> None:
    (found,) = read(run, "search", "one")["models"]
    assert (found["repository"], found["licence"]) == (ONE, "apache-2.0")
    (offer,) = read(run, "info", ONE)["models"]
    assert (offer["get"], offer["size"]) == (f"{ONE}:{FILE}", GGUF.stat().st_size)
    told = read(run, "get", offer["get"])
    assert (told["name"], told["kept_by"], told["problem"]) == (NAME, "downloaded", None)
    assert Path(told["path"]).read_bytes() == GGUF.read_bytes()
    assert (told["parameters"], told["window"], told["template"]) == (10_347_520, 1024, "its own")
    assert told["memory"] > told["size"]
    assert told["fit"] in {"fits", "tight"}
    hub.asked.clear()
    assert NAME in {each["name"] for each in read(run, "list")["models"]}
    assert "say --yes" in run("models", "remove", NAME).err
    assert run("models", "remove", NAME, "--yes").out == f"{NAME} is deleted; 21.7 MB are free again.\n"
    assert not list((tmp_path / "ours").iterdir())
    kept = run("models", "remove", "default", "--yes")
    assert (kept.code, "`models get` did not download it" in kept.err) == (2, True)
    assert (ROOT / "models" / "default" / "config.json").is_file()
    assert hub.asked == []  # none of these asks the hub


def test_after_a_kill_the_same_command_goes_on(hub: Hub, run: Run, tmp_path: Path) -> None:
    hub.pause = 0.02
    process = start(hub, tmp_path)
    wait_for_part(tmp_path, 2_000_000)
    process.kill()
    process.communicate()
    assert not list(tmp_path.rglob("talker*.gguf"))
    came = wait_for_part(tmp_path, 2_000_000).stat().st_size
    hub.pause = 0
    hub.asked.clear()
    assert Path(read(run, "get", ONE)["path"]).read_bytes() == GGUF.read_bytes()
    assert ("talker-Q4_K_M.gguf", f"bytes={came}-") in hub.asked
    assert not list(tmp_path.rglob("*.part"))


def test_another_process_is_left_alone_and_an_interrupt_ends_it_cleanly(hub: Hub, run: Run, tmp_path: Path) -> None:
    hub.pause = 0.02
    process = start(hub, tmp_path)
    wait_for_part(tmp_path, 500_000)
    done = run("models", "get", ONE)
    assert (done.code, "is being downloaded by another process" in done.err) == (1, True)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == "Cancelled. What came is kept: the same command goes on from there."
    assert "Traceback" not in err


def test_what_is_refused_is_one_line(hub: Hub, run: Run) -> None:
    for words, line in (
        (("get", GATED), "given on terms only: accept them on"),
        (("info", "nonsense"), "there is no such model here"),
        (("search", "nothing of the kind"), "Nothing found."),
    ):
        done = run("models", *words)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert line in done.err


def test_the_list_and_the_recommended_ones_are_tables(hub: Hub, run: Run) -> None:
    lines = [line.split("\t") for line in run("models", "list").out.splitlines()]
    assert ["default", "gpt2", "10M", "F16", "1,024"] in [line[:5] for line in lines]
    rows = read(run, "recommended")["models"]
    assert len(rows) >= 8
    assert all(row["memory"] > row["size"] for row in rows)
    assert {row["fit"] for row in rows} <= {"fits", "tight", "does not fit"}
    assert "models get Qwen/Qwen3-0.6B-GGUF:Qwen3-0.6B-Q8_0.gguf" in run("models", "recommended").out
    assert hub.asked == []
