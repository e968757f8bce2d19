"""The thinking of a conversation's replies: ended from anywhere, cut and gone on with, and told how much to be."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelError

import backends
from conversations.replies import ThinkingPart, end_note, steering, turn, watch
from conversations.store import Message, MessageError, State, Store
from conversations.store.store import HEARTBEAT_TIMEOUT
from settings import ROOT, Settings
from tests import thinker
from tests.conversations.talk import ask, mine, over, wait_for
from tests.loopback import Loopback
from tests.smollm2 import needs_smollm2

TURNS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: <think>\n{# </think> #}"
WRITER = """
import sys
from conversations.replies import turn
from tests import thinker
from tests.conversations.talk import ask, mine

print(turn.send(mine(), None, "Why is the sky blue?", ask("llamacpp", **thinker.ENDLESS)).id, flush=True)
sys.stdin.read()
"""


def thought(store: Store, number: int) -> str:
    """What a reply has thought so far, whoever writes it."""
    row = watch.snapshot(store.database, number)
    return row.thinking or "" if row is not None else ""


def answering(store: Store, row: Message) -> Message:
    """A reply once its answer has begun."""
    wait_for(lambda: watch.snapshot(store.database, row.id).text.strip())  # type: ignore[union-attr]
    found = watch.snapshot(store.database, row.id)
    assert found is not None
    return found


@pytest.fixture
def thinks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None) -> None:
    """SmolLM2 thinks, in this process."""
    for name, value in thinker.environment(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def other(tmp_path: Path, database_url: str) -> Iterator[Callable[[], tuple["subprocess.Popen[str]", int]]]:
    """Starts another process in which SmolLM2 thinks; that, and the number of the reply."""
    started: list[subprocess.Popen[str]] = []

    def start() -> tuple["subprocess.Popen[str]", int]:
        environment = {**os.environ, **thinker.environment(tmp_path), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(params=backends.LOCAL)
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None) -> str:
    """Each engine, over the small model, with a template that opens the thinking itself."""
    (tmp_path / "own.jinja").write_text(TURNS)
    monkeypatch.setenv("CHAT_TEMPLATE", str(tmp_path / "own.jinja"))
    return str(request.param)


@needs_smollm2
def test_answer_now_ends_the_thinking_of_another_process(
    other: Callable[[], tuple["subprocess.Popen[str]", int]],
) -> None:
    _, number = other()
    store = mine()
    wait_for(lambda: thought(store, number))
    row = store.message(number)
    assert watch.can_answer_now(row, None)
    watch.answer_now(store, number)
    assert not watch.can_answer_now(store.message(number), None), "it is asked for once"
    answered = answering(store, row)
    assert answered.thinking
    assert "think>" not in answered.thinking + answered.text
    watch.stop(store, number)
    assert over(store, row).state == State.STOPPED


@needs_smollm2
def test_a_reply_that_was_killed_while_it_thought_goes_on_there(
    other: Callable[[], tuple["subprocess.Popen[str]", int]], thinks: None
) -> None:
    process, number = other()
    store = mine()
    wait_for(lambda: len(thought(store, number)) > 40)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not watch.snapshot(store.database, number).live, HEARTBEAT_TIMEOUT + 10)  # type: ignore[union-attr]
    cut = store.message(number)
    assert (cut.state, cut.text, cut.only_thought) == (State.INTERRUPTED, "", True)
    assert end_note(cut) == "Interrupted: the program ended while it was thinking"
    assert (cut.thinking, cut.thinking_tokens, cut.thinking_ms, cut.completion_tokens) > ("", 0, 0, 0)
    turn.continue_reply(store, number, ask("llamacpp", **thinker.ENDLESS))
    wait_for(lambda: len(thought(store, number)) > len(cut.thinking or "") + 20)
    watch.answer_now(store, number)
    answered = answering(store, cut)
    assert answered.thinking is not None
    assert answered.thinking.startswith(cut.thinking or "?")
    watch.stop(store, number)
    row = over(store, cut)
    assert row.thinking_tokens is not None
    assert row.completion_tokens is not None
    assert row.thinking_tokens > (cut.thinking_tokens or 0)
    assert (row.thinking_ms or 0) > (cut.thinking_ms or 0)
    assert row.completion_tokens > row.thinking_tokens


@needs_smollm2
def test_answer_now_in_this_process(thinks: None) -> None:
    store = mine()
    row = turn.send(store, None, "Why is the sky blue?", ask("llamacpp", **thinker.ENDLESS))
    wait_for(lambda: thought(store, row.id))
    assert watch.can_answer_now(None, watch.local_reply(store.database, row.id))
    watch.answer_now(store, row.id)
    answering(store, row)
    with pytest.raises(MessageError, match="answers already"):
        watch.answer_now(store, row.id)
    watch.stop(store, row.id)
    over(store, row)
    with pytest.raises(MessageError, match="has ended"):
        watch.answer_now(store, row.id)


def test_the_thinking_of_a_server_is_refused_to_be_ended(loopback: Loopback) -> None:
    loopback.script.append("think 1000")
    store = mine()
    row = turn.send(store, None, "hi", ask("openai"))
    wait_for(lambda: thought(store, row.id))
    assert not watch.can_answer_now(None, watch.local_reply(store.database, row.id))
    with pytest.raises(MessageError, match="The thinking of openai cannot be ended"):
        watch.answer_now(store, row.id)
    watch.stop(store, row.id)
    stopped = over(store, row)
    assert end_note(stopped) == "Stopped while it was thinking"
    with pytest.raises(MessageError, match="openai goes on with no thinking"):
        turn.continue_reply(store, row.id, ask("openai"))
    assert store.message(row.id).thinking == stopped.thinking


def test_a_reply_that_thought_to_its_limit_goes_on_to_an_answer(small: str) -> None:
    store = mine()
    request = ask(small, ignore_eos=True, temperature=1.0, max_tokens=30, seed=5)
    cut = over(store, turn.send(store, None, "Hello", request))
    assert cut.state == State.FAILED
    assert cut.error == f"{small} used all of its 30 tokens for thinking before an answer: raise MAX_TOKENS."
    assert (cut.only_thought, cut.completion_tokens) == (True, 30)
    assert 25 < (cut.thinking_tokens or 0) <= 30
    again = ask(small, ignore_eos=True, temperature=1.0, max_tokens=40, seed=6, reasoning_budget=40)
    row = over(store, turn.continue_reply(store, cut.id, again))
    assert (row.state, row.error, row.completion_tokens) == (State.DONE, None, 70)
    assert row.text.strip()
    assert row.thinking is not None
    assert row.thinking.startswith(cut.thinking or "?")
    assert (cut.thinking_tokens or 0) < (row.thinking_tokens or 0) <= 42  # what it thought is read as other tokens
    assert (row.thinking_ms or 0) > (cut.thinking_ms or 0)


def test_a_setting_ends_the_thinking(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONING_BUDGET", "7")
    store = mine()
    row = over(store, turn.send(store, None, "Hello", ask(small, ignore_eos=True, max_tokens=60, seed=1)))
    assert row.text.strip()
    assert 0 < (row.thinking_tokens or 0) <= 7


def test_a_conversation_without_thinking_has_none(small: str) -> None:
    store = mine()
    request = ask(small, ignore_eos=True, max_tokens=40, seed=1)
    row = over(store, turn.send(store, None, "Hello", request, {"reasoning_effort": "none"}))
    assert row.text.strip()
    assert not row.thinking


def test_an_effort_that_a_model_does_not_know_is_refused_by_name(small: str) -> None:
    settings = Settings.read()
    steering.check_effort(settings, small, "none")
    with pytest.raises(ModelError, match=f"high: {small} is not asked to think so: it knows off"):
        steering.check_effort(settings, small, "high")
    row = over(mine(), turn.send(mine(), None, "Hello", ask(small), {"reasoning_effort": "high"}))
    assert row.state == State.FAILED
    assert "reasoning_effort=high" in (row.error or "")


def test_what_was_thought_outlasts_a_fallback_that_fails(small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FALLBACK", "openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setattr("chains.fallback.MAX_WAIT", 0.0)
    store = mine()
    row = over(store, turn.send(store, None, "Hello", ask(small, ignore_eos=True, max_tokens=20, seed=2)))
    assert row.state == State.FAILED
    assert row.only_thought
    assert "for thinking before an answer" in (row.error or "")


def test_a_try_that_failed_leaves_none_of_its_thinking_beside_an_answer(
    small: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_FALLBACK", "openai")
    loopback.script.append("think 3")
    loopback.pause = 0.0
    store = mine()
    row = over(store, turn.send(store, None, "Hello", ask(small, ignore_eos=True, max_tokens=20, seed=2)))
    assert (row.state, row.backend, row.retries) == (State.DONE, "openai", 1)
    assert row.thinking == "thought0 thought1 thought2 "


def test_who_follows_hears_all_that_the_next_try_thinks(
    small: str, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shorter than what the first one thought."""
    monkeypatch.setenv("LLM_FALLBACK", "openai")
    loopback.script.append("think 3")
    store = mine()
    row = turn.send(store, None, "Hello", ask(small, ignore_eos=True, max_tokens=40, seed=2))
    reply = watch.local_reply(store.database, row.id)
    assert reply is not None

    async def told() -> str:
        return "".join([part.text async for part in reply.follow_parts() if isinstance(part, ThinkingPart)])

    assert asyncio.run(told()).endswith("thought0 thought1 thought2 ")


WAYS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("", "", "low"): {"reasoning_effort": "low"},
    ("", "", "none"): {"reasoning_effort": "none"},
    ("", "", "on"): {},
    ("", "vllm", "none"): {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
    ("", "llamacpp", "on"): {"chat_template_kwargs": {"enable_thinking": True, "thinking": True}},
    ("", "sglang", "low"): {
        "reasoning_effort": "low",
        "chat_template_kwargs": {"enable_thinking": True, "thinking": True, "reasoning_effort": "low"},
    },
    ("reasoning_effort", "vllm", "high"): {"reasoning_effort": "high"},
    ("chat_template_kwargs", "", "none"): {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
}


@pytest.mark.parametrize(("setting", "owner", "effort"), WAYS)
def test_a_server_is_told_how_much_to_think(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch, setting: str, owner: str, effort: str
) -> None:
    monkeypatch.setenv("OPENAI_THINKING", setting)
    loopback.owner = owner or None
    row = over(mine(), turn.send(mine(), None, "hi", ask("openai"), {"reasoning_effort": effort}))
    assert row.state == State.DONE
    sent = loopback.requests[-1]
    found = {name: sent[name] for name in ("reasoning_effort", "chat_template_kwargs") if name in sent}
    assert found == WAYS[setting, owner, effort]
    levels = ("low", "medium", "high")
    is_template = "chat_template_kwargs" in WAYS[setting, owner, effort]
    assert steering.known_efforts("openai") == (("none", "on", *levels) if is_template else ("none", *levels))


def test_a_server_that_is_not_to_be_told_is_not(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_THINKING", "no")
    with pytest.raises(ModelError, match="low: openai is not asked to think so"):
        steering.check_effort(Settings.read(), "openai", "low")
    row = over(mine(), turn.send(mine(), None, "hi", ask("openai"), {"reasoning_effort": "low"}))
    assert row.state == State.FAILED
    assert "OPENAI_THINKING=no" in (row.error or "")
    assert not loopback.requests


def test_a_budget_for_a_server_is_refused(loopback: Loopback) -> None:
    row = over(mine(), turn.send(mine(), None, "hi", ask("openai", reasoning_budget=5)))
    assert (row.error or "").startswith("reasoning_budget: openai is no model of this machine")
    assert not loopback.requests
