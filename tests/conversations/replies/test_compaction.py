"""Turns that fall out of the window become a summary: one counted call, kept, and used on its own branch alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from conversations.replies import turn, watch
from conversations.replies.compaction import FAILED, NOTE, disabled_reason
from conversations.replies.writer import reply_writer
from conversations.store.schema import Message, State, Summary
from conversations.store.store import Store
from prompts.summary import introduce
from settings import ROOT, Settings
from tests.conftest import GGUF
from tests.conversations.talk import ask, mine, over, wait_for
from tests.loopback import Loopback

WINDOW = 600
INTRODUCED = introduce("").strip()
RESUME = """
import sys
from conversations.replies import turn
from tests.conversations.talk import ask, mine, over
print(over(mine(), turn.send(mine(), sys.argv[1], "and now?", ask("openai"))).state)
"""


@pytest.fixture
def listening(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """A server with a small window whose summaries keep every fact they are told of, and nothing else."""
    monkeypatch.setenv("OPENAI_N_CTX", str(WINDOW))
    monkeypatch.setenv("CONTEXT_STRATEGY", "summarize")
    loopback.answer = lambda body: " ".join(["Said:", *facts(heard(body))]) if sums_up(body) else loopback.reply
    return loopback


def sums_up(body: dict[str, Any]) -> bool:
    return str(body["messages"][0]["content"]).startswith("Sum up this conversation")


def heard(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def facts(text: str) -> list[str]:
    return re.findall(r"fact-\d+", text)


def calls(loopback: Loopback) -> list[str]:
    """What the server was asked to sum up."""
    return [heard(body) for body in loopback.requests if sums_up(body)]


def system(loopback: Loopback) -> str:
    return str(loopback.requests[-1]["messages"][0]["content"])


def say(store: Store, identity: str | None, number: int, backend: str = "openai", **options: Any) -> Message:
    text = f"fact-{number} is one of many that I tell you now" + " and more" * 12
    return over(store, turn.send(store, identity, text, ask(backend, **options)))


def talk(store: Store, turns: int, backend: str = "openai", **options: Any) -> Message:
    """The last reply of a conversation in which each question tells a fact."""
    row = say(store, None, 0, backend, **options)
    for number in range(1, turns):
        row = say(store, row.conversation_id, number, backend, **options)
    return row


def summaries(store: Store) -> list[Summary]:
    with store.database.reading() as session:
        return list(session.scalars(select(Summary).order_by(Summary.id)))


def until_summed_up(store: Store, loopback: Loopback) -> Message:
    """The first reply that needed a summary."""
    row = talk(store, 1)
    for number in range(1, 20):
        if calls(loopback):
            return row
        row = say(store, row.conversation_id, number)
    raise AssertionError("everything fits")


def test_a_fact_of_a_turn_that_fell_out_is_still_sent(listening: Loopback) -> None:
    store = mine()
    row = talk(store, 12)
    assert row.state == State.DONE
    assert facts(system(listening))[0] == "fact-0"
    last = listening.requests[-1]["messages"]
    assert INTRODUCED in last[0]["content"]
    assert [fact for m in last for fact in facts(m["content"])] == [f"fact-{n}" for n in range(12)], "each once"
    assert row.dropped + len(last) - 1 == len(store.thread(row.conversation_id).messages) - 1
    assert row.extra is None


@pytest.mark.usefixtures("database_url")
def test_each_call_is_counted_and_kept(listening: Loopback) -> None:
    store = mine()
    row = talk(store, 12)
    kept = summaries(store)
    assert len(kept) == len(calls(listening)) == len(listening.requests) - 12
    assert 2 <= len(kept) <= 4, "there is not one call per message"
    messages = store.thread(row.conversation_id).messages
    for summary in kept:
        assert messages[summary.messages - 1].id == summary.message_id
        assert messages[summary.messages].role == "user"
        assert (summary.backend, summary.model, summary.prompt_tokens) == ("openai", "loopback-small", 7)
        assert summary.completion_tokens == len(summary.text.split()) == 1 + summary.messages // 2
        assert summary.duration_ms
    newest = store.thread(row.conversation_id).summary
    assert newest is not None
    assert (newest.id, newest.messages) == (kept[-1].id, row.dropped)
    assert facts(calls(listening)[1])[0] == "fact-0", "the second summary builds on the first"


def test_half_of_the_window_is_free_after_it(listening: Loopback) -> None:
    row = until_summed_up(mine(), listening)
    assert row.dropped > 2
    sent = listening.requests[-1]["messages"]
    assert sum(len(m["content"]) / 4 + 4 for m in sent) < WINDOW / 2


@pytest.mark.usefixtures("database_url")
def test_a_new_process_uses_what_is_stored(listening: Loopback) -> None:
    row = until_summed_up(mine(), listening)
    before = len(calls(listening))
    run = subprocess.run(
        [sys.executable, "-c", RESUME, row.conversation_id], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == State.DONE
    assert len(calls(listening)) == before
    assert facts(system(listening))[0] == "fact-0"
    assert heard(listening.requests[-1]) == "and now?"


@pytest.mark.usefixtures("database_url")
def test_another_branch_does_not_use_it_and_the_same_one_does(listening: Loopback) -> None:
    store = mine()
    row = until_summed_up(store, listening)
    messages = store.thread(row.conversation_id).messages
    edited = over(store, turn.edit(store, messages[2].id, "something else", ask("openai")))
    assert INTRODUCED not in system(listening)
    assert (edited.dropped, store.thread(row.conversation_id).summary) == (0, None)
    before = len(calls(listening))
    again = over(store, turn.regenerate(store, row.id, ask("openai")))
    assert INTRODUCED in system(listening)
    assert (again.dropped, len(calls(listening))) == (row.dropped, before)


def test_where_everything_fits_everything_is_sent(listening: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A summary is no reason to hide messages from a model that could read them."""
    store = mine()
    row = until_summed_up(store, listening)
    again = over(store, turn.regenerate(store, row.id, ask("openai", max_tokens=1)))
    assert (again.dropped, INTRODUCED in system(listening)) == (0, False)


def test_an_unknown_window_is_never_too_small(listening: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_N_CTX")
    row = talk(mine(), 8)
    assert (row.window, row.dropped, calls(listening)) == (None, 0, [])


def test_trim_asks_nobody_to_sum_up(listening: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTEXT_STRATEGY", "trim")
    row = talk(mine(), 12)
    assert row.dropped > 0
    assert (calls(listening), summaries(mine())) == ([], [])


def test_what_is_in_no_prompt_is_counted_as_well(listening: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that got no answer is not sent, and yet it stands before the first message that is."""
    monkeypatch.setenv("CONTEXT_STRATEGY", "trim")
    store = mine()
    row = talk(store, 2)
    listening.script.append("refuse temperature")
    failed = say(store, row.conversation_id, 2)
    assert (failed.state, failed.dropped) == (State.FAILED, 0)
    for number in range(3, 12):
        row = say(store, row.conversation_id, number)
    sent = listening.requests[-1]["messages"][1:]
    assert row.dropped > 6
    assert facts(sent[0]["content"]) == [f"fact-{row.dropped // 2}"]
    assert row.dropped + len(sent) == 2 * 11 + 1


def test_a_summary_that_fails_is_said_and_the_oldest_turns_go(listening: Loopback) -> None:
    store = mine()
    row = until_summed_up(store, listening)
    broken = [m for m in store.thread(row.conversation_id).messages if m.role == "user"][-1]
    with store.database.writing() as session:
        session.delete(summaries(store)[0])
    listening.script.append("refuse max_tokens")
    failed = over(store, turn.edit(store, broken.id, "fact-99" + " and more" * 20, ask("openai")))
    assert (failed.state, summaries(store)) == (State.DONE, [])
    assert failed.dropped > 0
    assert failed.extra is not None
    assert failed.extra[NOTE].startswith(FAILED + "openai")
    assert INTRODUCED not in system(listening)
    assert "fact-0" not in str(listening.requests[-1])


def test_a_message_that_leaves_no_room_for_a_summary_is_answered_without(listening: Loopback) -> None:
    store = mine()
    row = talk(store, 2)
    long = over(store, turn.send(store, row.conversation_id, "long " * 250, ask("openai")))
    assert (long.state, long.dropped, calls(listening)) == (State.DONE, 4, [])
    assert long.extra is not None
    assert "no room for a summary" in long.extra[NOTE]


def test_while_it_runs_the_reply_says_so_and_can_be_stopped(listening: Loopback) -> None:
    store = mine()
    row = until_summed_up(store, listening)
    with store.database.writing() as session:
        session.delete(summaries(store)[0])
    listening.script.append("slow")
    again = turn.regenerate(store, row.id, ask("openai"))
    wait_for(lambda: listening.sent > 3)
    note = reply_writer(store.database).replies[again.id].activity
    assert note == f"Summarising {row.dropped} earlier messages…"
    watch.stop(store, again.id)
    assert over(store, again).state == State.STOPPED
    wait_for(lambda: listening.gone)
    assert (store.message(again.id).text, summaries(store)) == ("", [])


def long_conversation(store: Store, messages: int, words: int) -> str:
    """One with replies as long as its questions, from a time when the window was larger."""
    with store.database.writing() as session:
        found = store.create(session)
        parent: int | None = None
        for number in range(messages):
            text = " ".join(f"w{number}x{word}" for word in range(words)) + f" fact-{number}"
            parent = turn.add_message(session, found, parent, role=("user", "assistant")[number % 2], text=text).id
        found.head = parent
    return found.id


def test_what_does_not_fit_into_one_call_takes_several_and_nothing_is_cut(listening: Loopback) -> None:
    store = mine()
    identity = long_conversation(store, messages=4, words=400)
    row = over(store, turn.send(store, identity, "hi", ask("openai")))
    asked = calls(listening)
    assert len(summaries(store)) == len(asked) > 6
    assert all(len(str(body["messages"])) / 4 < WINDOW for body in listening.requests)
    read = re.findall(r"w\d+x\d+", " ".join(asked))
    assert read == [f"w{number}x{word}" for number in range(4) for word in range(400)], "all of it, in order, once"
    assert facts(system(listening)) == ["fact-0", "fact-1", "fact-2", "fact-3"]
    assert (row.dropped, [m["content"] for m in listening.requests[-1]["messages"][1:]]) == (4, ["hi"])


def test_a_fold_that_was_stopped_goes_on_where_it_was(listening: Loopback) -> None:
    store = mine()
    identity = long_conversation(store, messages=4, words=400)
    listening.script.extend(["reply"] * 5 + ["slow"])
    first = turn.send(store, identity, "hi", ask("openai"))
    wait_for(lambda: listening.sent > 3)
    watch.stop(store, first.id)
    over(store, first)
    done = summaries(store)[-1].messages
    assert 0 < done < 4
    before = len(calls(listening))
    over(store, turn.regenerate(store, first.id, ask("openai")))
    assert f"w{done}x0 " in calls(listening)[before]
    assert f"w{done - 1}x0 " not in calls(listening)[before]
    assert facts(system(listening)) == ["fact-0", "fact-1", "fact-2", "fact-3"]


def test_the_small_model_that_ships_trims_and_says_so(
    fresh_backends: None, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    assert disabled_reason(settings, "llamacpp") is None, "nobody asked for summaries"
    monkeypatch.setenv("CONTEXT_STRATEGY", "summarize")
    for backend in ("llamacpp", "gpt2"):
        assert "cannot summarise" in str(disabled_reason(Settings.read(), backend))
    assert disabled_reason(Settings.read(), "openai") is None
    monkeypatch.setenv("LLAMACPP_N_CTX", "128")
    row = talk(mine(), 5, "llamacpp", max_tokens=5)
    assert row.dropped > 0
    assert (summaries(mine()), row.extra) == ([], None)


@pytest.mark.parametrize(("model", "expected"), [("smollm2:135m", False), ("llama3.2:3b", True), ("m-1", True)])
def test_unasked_a_model_sums_up_where_its_size_allows_it(
    listening: Loopback, monkeypatch: pytest.MonkeyPatch, model: str, expected: bool
) -> None:
    monkeypatch.delenv("CONTEXT_STRATEGY")
    monkeypatch.setenv("OPENAI_MODEL", model)
    row = talk(mine(), 12)
    assert row.dropped > 0
    assert bool(calls(listening)) == bool(summaries(mine())) == expected


def test_unasked_a_small_model_here_drops_what_does_not_fit(
    fresh_backends: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLAMACPP_N_CTX", "128")
    monkeypatch.setenv("LLAMACPP_MODEL", str(shutil.copy(GGUF, str(tmp_path / "own.gguf"))))
    row = talk(mine(), 5, "llamacpp", max_tokens=5)
    assert row.dropped > 0
    assert (summaries(mine()), row.extra) == ([], None)
    assert disabled_reason(Settings.read(), "llamacpp") is None, "nobody asked for summaries"


def test_a_model_of_ones_own_sums_up_with_real_tokens(
    fresh_backends: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same weights under another name: what it writes makes no sense, but every count is a tokenizer's own."""
    monkeypatch.setenv("CONTEXT_STRATEGY", "summarize")
    monkeypatch.setenv("LLAMACPP_N_CTX", "400")
    monkeypatch.setenv("LLAMACPP_MODEL", str(shutil.copy(GGUF, str(tmp_path / "own.gguf"))))
    assert disabled_reason(Settings.read(), "llamacpp") is None
    store = mine()
    row = talk(store, 12, "llamacpp", max_tokens=20, seed=1)
    kept = summaries(store)
    assert (row.state, row.extra, row.window) == (State.DONE, None, 400)
    assert 1 <= len(kept) <= 6
    for summary in kept:
        assert summary.backend == "llamacpp"
        assert summary.prompt_tokens is not None
        assert summary.completion_tokens is not None
        assert summary.prompt_tokens + summary.completion_tokens <= 400
        assert 0 < summary.completion_tokens <= 50
        assert summary.text.endswith(" …") == (summary.completion_tokens == 50), "cut, and it shows"
    assert row.dropped == kept[-1].messages
    assert row.prompt_tokens is not None
    assert row.prompt_tokens <= 380
