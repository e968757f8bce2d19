"""What a model computed for a conversation outlasts model and process: in files that are whole, private and bounded."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

import backends
from backends.llama.archive import KNOWN, StateArchive
from backends.llama.states import MAX_AGE, SavedState, StateFolder, forget, identify
from chains.assistant import build
from conversations.replies import GenerationRequest, turn
from conversations.store import open_temporary
from settings import DEFAULT_MODEL, ROOT, Settings
from tests.backends.llama.chats import Ear, opened
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


TALKING = """
import asyncio, sys, threading
import backends
from chains.assistant import build
from langchain_core.messages import AIMessage, HumanMessage
conversation, *said = sys.argv[1:]
kinds = (HumanMessage, AIMessage)
history = [kinds[at % 2](text) for at, text in enumerate(said[:-1])]
options = {"temperature": 0.0, "max_tokens": 6}
chain = build(backends.read_settings(), "llamacpp", options=options, conversation=conversation)
print(asyncio.run(chain.ainvoke({"history": history, "input": said[-1]})).replace("\\n", " "))
print(backends.loaded_model("llamacpp").engine.prefilled_tokens, flush=True)
"""


def talking(conversation: str, *said: str, wait: bool = False) -> "subprocess.Popen[str]":
    """Another process that says the last of this in a conversation; it ends then, or waits to be killed."""
    code = TALKING + "threading.Event().wait()\n" * wait
    command = [sys.executable, "-c", code, conversation, *said]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)


def computed(conversation: str, *said: str) -> int:
    """How many tokens of the prompt another process computes."""
    return int(talking(conversation, *said).communicate(timeout=300)[0].split()[-1])


def test_another_process_takes_up_what_this_one_left_and_for_that_conversation_alone() -> None:
    reply = ask(FIRST)
    backends.unload()
    assert computed("another", FIRST, reply, SECOND) > 40 > computed("one", FIRST, reply, SECOND)


def test_what_was_said_outlasts_a_process_that_is_killed() -> None:
    with talking("one", FIRST, wait=True) as process:
        try:
            assert process.stdout is not None
            *reply, _ = process.stdout.readline(), process.stdout.readline()
            until(lambda: len(files()) == 1)
        finally:
            process.kill()
    ask(SECOND, [HumanMessage(FIRST), AIMessage(reply[0].strip())])
    assert prefilled() < 40


class Watched(StateFolder):
    """A folder that writes once it may, with a note of which files were read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "model", 2**26)
        self.may_write, self.is_asked, self.read = threading.Event(), threading.Event(), list[str]()
        self.written = 0

    def save(self, conversation: str, tokens: Sequence[int], state: Any, began: float) -> int | None:
        self.is_asked.set()
        self.may_write.wait()
        stamp = super().save(conversation, tokens, state, began)
        self.written = len(tokens)
        return stamp

    def find(self, conversation: str) -> SavedState | None:
        self.read.append(conversation)
        return super().find(conversation)


def put(archive: StateArchive, conversation: str, tokens: list[int], size: int, began: float) -> bool:
    return archive.put(conversation, tokens, began, size, lambda: bytes(size))


def test_a_conversation_that_goes_on_is_written_again_and_an_older_one_never_over_it(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "states", "model", 1000)
    archive = StateArchive(folder, 1000)
    put(archive, "one", [1, 2], 10, 5.0)
    put(archive, "one", [1, 2, 3], 20, 6.0)
    put(archive, "one", [1, 9], 30, 5.5)
    assert archive.holds("one", [1, 2, 3], 6.0)
    assert archive.holds("one", [7], 1.0)
    assert not archive.holds("one", [1, 2, 3, 4], 7.0)
    put(archive, "two", [1], 2000, 5.0)
    assert archive.holds("two", [1], 5.0)  # it never has room: nobody tries again
    archive.close()
    assert (folder.find("one"), folder.find("two")) == (SavedState(files_of(tmp_path)[0], (1, 2, 3), name("one")), None)


def test_what_the_disk_was_too_slow_for_is_written_later(tmp_path: Path) -> None:
    folder = Watched(tmp_path / "states")
    archive = StateArchive(folder, 1000)
    assert put(archive, "one", [1], 400, 5.0)
    assert folder.is_asked.wait(300)  # it waits no longer, but for the disk
    kept = [put(archive, each, [1], 400, 5.0) for each in ("two", "three", "four")]
    assert kept == [True, True, False]
    assert not archive.holds("four", [1], 5.0)
    folder.may_write.set()
    until(lambda: put(archive, "four", [1], 400, 5.0))
    archive.close()
    assert folder.find("four") is not None


def test_a_file_is_ones_own_until_another_process_writes_it(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "states", "model", 1000)
    archive = StateArchive(folder, 1000)
    assert archive.is_own("one")  # there is none
    put(archive, "one", [1, 2], 10, 5.0)
    until(lambda: folder.find("one") is not None and archive.is_own("one"))
    StateFolder(tmp_path / "states", "model", 1000).save("one", [1, 2, 3, 4], bytes(10), 6.0)
    assert not archive.is_own("one")
    archive.close()
    assert not StateArchive(folder, 1000).is_own("one")  # as after a restart


class Overtaken(StateFolder):
    """A folder into which another process writes right after each of our files."""

    def save(self, conversation: str, tokens: Sequence[int], state: Any, began: float) -> int | None:
        stamp = super().save(conversation, tokens, state, began)
        StateFolder(self._root, "model", 1000).save(conversation, [*tokens, 7], state, began)
        return stamp


def test_a_file_that_was_replaced_before_anybody_looked_is_not_ones_own(tmp_path: Path) -> None:
    folder = Overtaken(tmp_path / "states", "model", 1000)
    archive = StateArchive(folder, 1000)
    put(archive, "one", [1, 2], 10, 5.0)
    archive.close()
    assert not archive.is_own("one")


def test_conversations_beyond_count_are_forgotten(tmp_path: Path) -> None:
    folder = Watched(tmp_path / "states")
    archive = StateArchive(folder, 2**26)
    for number in range(KNOWN + 1):
        put(archive, f"conversation {number}", [1], 2**27, 5.0)
    assert not archive.holds("conversation 0", [1], 5.0)
    assert archive.holds("conversation 1", [1], 5.0)
    assert archive.holds(f"conversation {KNOWN}", [1], 5.0)


def test_a_conversation_that_stands_in_its_place_is_not_looked_for_in_its_file(tmp_path: Path) -> None:
    folder = Watched(tmp_path / "states")
    folder.may_write.set()
    with opened(2, 2048, folder=folder) as engine:
        prompt = engine.encode(FIRST)
        for _ in range(3):
            ear = Ear(engine, prompt, max_tokens=5, ignore_eos=True, conversation="one").ask()
            ear.reply()
            prompt += [*engine.drawn[ear.request], *engine.encode(SECOND)]
        assert folder.read == ["one"]  # at its first turn: a process before may have left it
        until(lambda: folder.written >= len(ear.request.prompt))  # else it would be written over what is put there
        StateFolder(tmp_path / "states", "model", 2**26).save("one", prompt, b"another's", time.time())
        Ear(engine, prompt, max_tokens=5, conversation="one").ask().reply()
        assert folder.read == ["one", "one"]


def test_a_conversation_larger_than_the_cache_is_let_be(tmp_path: Path) -> None:
    folder = Watched(tmp_path / "states")
    with opened(2, 2048, cache=1000, folder=folder) as engine:
        Ear(engine, FIRST, max_tokens=5, conversation="one").ask().reply()
        until(lambda: engine._due() is None)  # else its thread would spin


def files_of(root: Path) -> list[Path]:
    return sorted(root.glob("states/model/*"))


def name(conversation: str) -> str:
    """As its file has it."""
    return hashlib.sha256(conversation.encode()).hexdigest()[:32]


def until(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_nothing_of_what_belongs_to_no_conversation_is_written() -> None:
    ask(FIRST, conversation=None)
    leave()
    assert files() == []


def test_nothing_of_a_temporary_chat_is_written() -> None:
    store = open_temporary()
    over(store, turn.send(store, None, FIRST, GenerationRequest(backends.read_settings(), "llamacpp", OPTIONS)))
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
    names = [*(f"conversation {number}" for number in range(3)), "newest"]
    kept = [state.tokens for each in (folder, other) for name in names if (state := each.find(name))]
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
