"""LLAMACPP_MODEL=owner/name:file.gguf: it comes as by `models get`, goes on after a kill, and comes once."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelNotFoundError

import backends
from backends.local.loading import LoadCancelledError, Loading, use
from backends.models import downloads
from backends.models.hub_file import fetch, find_file
from settings import ROOT, Settings
from tests.broken_gguf import split
from tests.conftest import GGUF
from tests.hub import COMMIT, FILE, GATED, ONE, Hub, places

SPLIT = "me/split"
SPEC = f"{ONE}:{FILE}"
FETCHING = """
import json, sys
from langchain_core.exceptions import ModelError
import backends
from settings import Settings
said = []
for name in sys.argv[1:]:
    try:
        settings = backends.with_settings(Settings.read(), "llamacpp", model=name)
        said.append(backends.load("llamacpp", settings).invoke("hi", temperature=0, max_tokens=8).text)
    except ModelError as error:
        said.append(str(error))
    backends.unload()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def hub_folder(hub_folder: Path) -> Path:
    """Also a repository with the model in three parts, beside a lonely part."""
    (hub_folder / SPLIT / "small").mkdir(parents=True)
    split(GGUF, hub_folder / SPLIT / "small", 3)
    (hub_folder / SPLIT / "lone-00001-of-00002.gguf").write_bytes(b"GGUF")
    return hub_folder


def start(hub: Hub, home: Path, *names: str) -> subprocess.Popen[str]:
    """A process that answers with each of these models, or says why not."""
    given = {**os.environ, **places(home), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", FETCHING, *names]
    return subprocess.Popen(command, cwd=ROOT, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> list[str]:
    """What it said."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err[-500:]
    told: list[str] = json.loads(out)
    return told


def part_of(home: Path, size: int) -> Path:
    """The file of a download under way, once it has so many bytes."""
    while True:
        for path in home.rglob("*.part"):
            if path.stat().st_size >= size:
                return path
        time.sleep(0.02)


def test_a_split_model_comes_with_all_its_parts_and_each_refusal_is_one_line(hub: Hub, tmp_path: Path) -> None:
    names = [
        f"{SPLIT}:lone-00001-of-00002.gguf",
        f"{SPLIT}:other.gguf",
        f"{GATED}:talker-Q4_K_M.gguf",
        "me/nothing:model.gguf",
        f"{SPLIT}:small/model-f16-00002-of-00003.gguf",
        f"{SPLIT}:small/model-f16-00001-of-00003.gguf",
    ]
    lone, other, gated, nothing, second, reply = said(start(hub, tmp_path, *names))
    assert reply.startswith("Hi")
    assert [name for name, _ in hub.asked if name.startswith("model")] == [
        f"model-f16-0000{number}-of-00003.gguf" for number in (1, 2, 3)
    ]
    refusals = {
        lone: "me/split has no lone-00002-of-00002.gguf, a part of lone-00001-of-00002.gguf.",
        other: "me/split has no other.gguf. It has: small/model-f16-00001-of-00003.gguf.",
        gated: f"me/gated is given on terms only: accept them on {hub.url}/me/gated, and set HF_TOKEN",
        nothing: "me/nothing is not there: the hub shows nobody such a repository.",
        second: "It has: small/model-f16-00001-of-00003.gguf.",
    }
    for name, (line, words) in zip(names, refusals.items(), strict=False):
        assert line.startswith(f"llamacpp: LLAMACPP_MODEL={name}: ")
        assert words in line
        assert "\n" not in line


def test_after_a_kill_the_next_process_goes_on_and_one_that_has_it_asks_nobody(hub: Hub, tmp_path: Path) -> None:
    hub.pause = 0.02
    process = start(hub, tmp_path, SPEC)
    part_of(tmp_path, 2_000_000)
    process.kill()
    process.communicate()
    came = part_of(tmp_path, 2_000_000).stat().st_size
    hub.pause = 0
    hub.asked.clear()
    assert said(start(hub, tmp_path, SPEC))[0].startswith("Hi")
    assert ("talker-Q4_K_M.gguf", f"bytes={came}-") in hub.asked
    assert not list(tmp_path.rglob("*.part"))
    hub.asked.clear()
    assert said(start(hub, tmp_path, SPEC))[0].startswith("Hi")
    assert hub.asked == []


def test_of_two_processes_one_downloads_and_both_answer(hub: Hub, tmp_path: Path) -> None:
    hub.pause = 0.02
    first = start(hub, tmp_path, SPEC)
    part_of(tmp_path, 100_000)
    second = start(hub, tmp_path, SPEC)
    while [each for each, _ in hub.asked].count("repository") < 2:
        time.sleep(0.02)
    hub.pause = 0
    assert all(reply.startswith("Hi") for process in (first, second) for reply in said(process))
    assert [span for name, span in hub.asked if name.endswith(".gguf")] == [""]


def test_what_lies_in_the_hubs_cache_is_taken_from_there(hub: Hub, tmp_path: Path) -> None:
    snapshot = tmp_path / "cache" / "hub" / "models--me--one" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    there = shutil.copy(GGUF, snapshot / "talker-Q4_K_M.gguf")
    assert find_file(SPEC, tmp_path / "ours") == there
    assert said(start(hub, tmp_path, SPEC))[0].startswith("Hi")
    assert hub.asked == []


def test_who_waits_no_longer_leaves_the_download_to_the_models_page(hub: Hub, tmp_path: Path) -> None:
    hub.pause = 0.02
    loading = Loading(lambda: not any(path.stat().st_size > 500_000 for path in tmp_path.rglob("*.part")))
    with use(loading), pytest.raises(LoadCancelledError):
        fetch(SPEC, tmp_path)
    assert 0 < loading.fraction < 0.9
    (running,) = [each for each in downloads.list_downloads() if each.spec == SPEC]
    assert running.state == "running"
    running.cancel()
    assert running.wait() == "cancelled"
    downloads.dismiss(SPEC)


def test_the_memory_of_a_model_on_the_hub_is_counted_before_it_is_loaded(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    monkeypatch.setenv("LLAMACPP_MODEL", SPEC)
    backends.load("llamacpp", Settings.read())
    held: Any = backends.resident("llamacpp")
    assert held.estimate > GGUF.stat().st_size
    (entry,) = [each for each in backends.list_catalogue(Settings.read()) if each.name == f"{ONE}/talker-Q4_K_M"]
    assert entry.has_key(held.key)  # under its own name it is the same model


@pytest.mark.parametrize("name", ["a/b/c:model.gguf", "a/b:model.gguf", "--:model.gguf"])
def test_a_name_that_is_none_or_a_hub_out_of_reach_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    monkeypatch.setenv("LLAMACPP_MODEL", name)
    monkeypatch.setenv("MODELS_HOME", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match=rf"^llamacpp: LLAMACPP_MODEL={name}: ") as raised:
        backends.load("llamacpp", Settings.read())
    assert "\n" not in str(raised.value)
