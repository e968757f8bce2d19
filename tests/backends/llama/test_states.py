"""What a model computed for a conversation outlasts the model: in files that are whole, private, bounded, deleted."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

import backends
from backends.llama.states import MAX_AGE, StateFolder, forget, identify
from chains.assistant import build
from conversations.replies import GenerationRequest, turn
from settings import DEFAULT_MODEL, ROOT, Settings
from tests.conftest import GGUF
from tests.conversations.talk import mine, over

FIRST, SECOND = "Hello, how are you today? I walked by the sea for hours and it was cold.", "What do you like to eat?"
OPTIONS = {"temperature": 0.0, "max_tokens": 6}
pytestmark = pytest.mark.usefixtures("fresh_backends", "_model")


@pytest.fixture
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACPP_MODEL", str(GGUF))
    monkeypatch.setenv("GPT2_MODEL", str(DEFAULT_MODEL))
    monkeypatch.setenv("MODELS_MEMORY", "300MB")  # one of them at a time


def ask(text: str, history: list[Any] | None = None, conversation: str | None = "one") -> str:
    chain = build(backends.read_settings(), "llamacpp", options=OPTIONS, conversation=conversation)
    return asyncio.run(chain.ainvoke({"history": history or [], "input": text}))


def prefilled() -> int:
    model: Any = backends.loaded_model("llamacpp")
    return int(model.engine.prefilled_tokens)


def leave() -> None:
    """Have the model make room for another."""
    backends.load("gpt2", backends.read_settings())
    assert backends.loaded_model("llamacpp") is None


def files() -> list[Path]:
    return sorted(Settings.read().states_folder.glob("*/*"))


def test_the_second_turn_after_the_model_was_away_computes_what_is_new_alone() -> None:
    reply = ask(FIRST)
    first = prefilled()
    leave()
    assert len(files()) == 1
    assert ask(SECOND, [HumanMessage(FIRST), AIMessage(reply)])
    with_state = prefilled()
    backends.unload()
    for path in files():
        path.unlink()
    ask(SECOND, [HumanMessage(FIRST), AIMessage(reply)])
    assert with_state < prefilled() / 2
    assert with_state < first


def test_the_reply_is_the_same_with_what_came_back() -> None:
    reply = ask(FIRST)
    leave()
    later = ask(SECOND, [HumanMessage(FIRST), AIMessage(reply)])
    backends.unload()
    for path in files():
        path.unlink()
    assert ask(SECOND, [HumanMessage(FIRST), AIMessage(reply)]) == later


def test_another_process_takes_up_what_this_one_left() -> None:
    reply = ask(FIRST)
    leave()
    code = (
        "import asyncio, sys, backends; from chains.assistant import build\n"
        "from langchain_core.messages import AIMessage, HumanMessage\n"
        "settings = backends.read_settings()\n"
        "chain = build(settings, 'llamacpp', options={'temperature': 0.0, 'max_tokens': 6}, conversation='one')\n"
        "history = [HumanMessage(sys.argv[1]), AIMessage(sys.argv[2])]\n"
        "asyncio.run(chain.ainvoke({'history': history, 'input': sys.argv[3]}))\n"
        "print(backends.loaded_model('llamacpp').engine.prefilled_tokens)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, FIRST, reply, SECOND]
    there = int(subprocess.check_output(command, env=environment, text=True))
    ask(SECOND, [HumanMessage(FIRST), AIMessage(reply)], conversation=None)
    assert there == prefilled() < 40


def test_nothing_of_what_belongs_to_no_conversation_is_written() -> None:
    ask(FIRST, conversation=None)
    leave()
    assert files() == []


def test_only_their_owner_can_read_the_files() -> None:
    ask(FIRST)
    leave()
    folder = Settings.read().states_folder
    modes = [path.stat().st_mode & 0o777 for path in (folder, files()[0].parent, files()[0])]
    assert modes == [0o700, 0o700, 0o600]
    assert FIRST.encode() not in files()[0].read_bytes()
    assert "one" not in files()[0].name


def test_a_deleted_conversation_leaves_nothing_and_comes_to_nothing() -> None:
    folder = Settings.read().states_folder
    ask(FIRST)
    leave()
    forget(folder, "one")
    assert files() == []
    ask(SECOND, conversation="two")  # still in memory when it is deleted
    forget(folder, "two")
    leave()
    assert files() == []
    ask(FIRST, conversation="two")  # what was said since is kept
    leave()
    assert len(files()) == 1


def test_the_store_has_the_states_of_what_it_deletes_forgotten() -> None:
    store = mine()
    row = over(store, turn.send(store, None, FIRST, GenerationRequest(backends.read_settings(), "llamacpp", OPTIONS)))
    leave()
    assert len(files()) == 1
    store.delete(row.conversation_id)
    assert files() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"nonsense"),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(path.read_bytes()[:-9] + b"tampered!"),
        lambda path: path.write_bytes(path.read_bytes().replace(b"llama-state-1", b"llama-state-9")),
        lambda path: path.write_bytes(json.dumps({"format": "llama-state-1", "tokens": "many"}).encode() + b"\n"),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["nonsense", "cut", "longer", "changed", "format", "head", "gone", "folder"],
)
def test_what_is_no_longer_as_it_was_written_is_computed_anew(damage: Callable[[Path], object]) -> None:
    reply = ask(FIRST)
    leave()
    damage(files()[0])
    damaged = ask(SECOND, [HumanMessage(FIRST), AIMessage(reply)])
    count = prefilled()
    backends.unload()
    assert ask(SECOND, [HumanMessage(FIRST), AIMessage(reply)], conversation=None) == damaged
    assert prefilled() <= count


def test_another_model_finds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(FIRST)
    leave()
    monkeypatch.setenv("LLAMACPP_N_CTX", "512")
    backends.unload()
    ask(FIRST)
    assert prefilled() > 10
    path = tmp_path / "model.gguf"
    path.write_bytes(GGUF.read_bytes())
    before = identify([path], 1)
    assert identify([path], 2) != before
    os.utime(path, (1, 1))
    assert identify([path], 1) != before


def test_as_much_as_fits_is_kept_of_the_newest(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "states", "model", 1000)
    other = StateFolder(tmp_path / "states", "another", 1000)
    now = time.time()
    assert not folder.save("large", [1], bytes(2000), now)
    for number, each in enumerate((folder, other, folder)):
        assert each.save(f"conversation {number}", [1, 2, number], bytes(100), now)
        path = next(p for p in (tmp_path / "states").glob("*/*") if p.stat().st_mtime > time.time() - 50)
        os.utime(path, (time.time() - 100 + number,) * 2)
    assert folder.save("newest", [3], bytes(100), now)
    kept = [state.tokens for each in (folder, other) for state in each.all()]
    assert (1, 2, 0) not in kept
    assert (3,) in kept
    old = next(iter((tmp_path / "states").glob("model/*")))
    os.utime(old, (time.time() - MAX_AGE - 10,) * 2)
    folder.save("later", [4], bytes(1), now)
    assert not old.exists()


def test_without_a_cache_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMACPP_CACHE_MB", "0")
    ask(FIRST)
    leave()
    assert files() == []
