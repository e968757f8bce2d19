"""What a model thought: kept with its reply whatever ends that, counted once, and sent back to who asks for it."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

import backends
from chains.thinking import thought
from conversations.replies import approval, turn, watch
from conversations.replies.context import to_steps
from conversations.store.calls import Decision
from conversations.store.schema import Message, State, ToolCall
from conversations.store.store import HEARTBEAT_TIMEOUT, Store
from settings import Settings
from tests.conversations.replies import test_writer
from tests.conversations.replies.test_calls import ON, SUM, reads
from tests.conversations.replies.web import Web
from tests.conversations.talk import ask, mine, over, wait_for
from tests.loopback import Loopback

OPENS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: <think>\n{# </think> #}"
KEEPS = (
    "{% for m in messages %}{{ m.role }}: "
    "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}\n"
    "{% endfor %}assistant: <think>\n"
)


def say(store: Store, identity: str | None = None, new: Any = None, **options: Any) -> Message:
    """The reply to a message, once it ended or waits."""
    return over(store, turn.send(store, identity, "hi", ask("openai", **options), new))


def words(count: int) -> str:
    """What the server thinks in so many words."""
    return "".join(f"thought{number} " for number in range(count))


def sent(server: Loopback) -> str:
    return json.dumps([request["messages"] for request in server.requests])


@pytest.mark.usefixtures("database_url")
def test_a_server_is_sent_nothing_of_it(loopback: Loopback) -> None:
    store = mine()
    loopback.script.extend(["think 3", "think 2"])
    first = say(store)
    assert (first.thinking, first.thinking_tokens) == (words(3), 3)
    say(store, first.conversation_id)
    assert "thought" not in sent(loopback)
    assert "reasoning" not in sent(loopback)


@pytest.mark.usefixtures("database_url")
def test_each_call_knows_what_was_thought_before_it(loopback: Loopback) -> None:
    store = mine()
    said = iter([SUM, SUM, "It is 42."])
    loopback.answer = lambda body: next(said)
    loopback.script.extend(["think 2", "think 1", "think 3"])
    answer, reply = turn.start_turn(store, None, "hi", ask("openai"), ON)
    row = over(store, answer)
    assert thoughts(list(reply.report.messages)) == [words(2), words(1)], "the model reads it between its calls"
    assert row.thinking == f"{words(2)}\n\n{words(1)}\n\n{words(3)}"
    assert (row.thinking_tokens, row.completion_tokens) == (6, 6 + 3)
    assert thoughts(to_steps(row.text, store.calls(row.id), row.thinking)) == [words(2), words(1), words(3)]


def thoughts(messages: list[BaseMessage]) -> list[str]:
    return [thought(message) for message in messages if message.type == "ai"]


@pytest.mark.usefixtures("database_url")
def test_what_was_thought_before_a_person_was_asked_stays(loopback: Loopback, web: Web) -> None:
    store = mine()
    said = iter([reads(web), "It is closed."])
    loopback.answer = lambda body: next(said)
    loopback.script.extend(["think 2", "think 3"])
    row = say(store, new=ON)
    assert (row.state, row.thinking) == (State.REQUIRES_ACTION, words(2))
    approval.answer(store, approval.waiting(store, row.id)[0].id, Decision.ONCE, "page", ask("openai"))
    row = over(store, row)
    assert (row.state, row.thinking, row.thinking_tokens) == (State.DONE, f"{words(2)}\n\n{words(3)}", 5)
    assert thoughts(to_steps(row.text, store.calls(row.id), row.thinking or "")) == [words(2), words(3)]


def test_steps_of_calls_that_were_imported_have_it_before_the_last_words() -> None:
    calls = [ToolCall(step=0, position=0, thought=0, call_id="a", name="look", arguments="{}", result="4")]
    assert thoughts(to_steps("Four.", calls, "I count.")) == ["", "I count."]
    assert thoughts(to_steps("Four.", [], "I count.")) == ["I count."]


@pytest.fixture
def process(loopback: Loopback) -> Iterator["subprocess.Popen[str]"]:
    """Another process, which writes replies and is killed."""
    started = test_writer.begun()
    yield started
    test_writer.killed(started)


@pytest.mark.server
@pytest.mark.usefixtures("database_url")  # SQLite and PostgreSQL
def test_what_was_thought_survives_kill_9(process: "subprocess.Popen[str]", loopback: Loopback) -> None:
    store = mine()
    loopback.script.append("think 2000")
    [number] = test_writer.told(process, 1)
    wait_for(lambda: len(store.message(number).thinking or "") > 40)
    saved = store.message(number)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not watch.snapshot(store.database, number).live, HEARTBEAT_TIMEOUT + 10)  # type: ignore[union-attr]
    row = store.message(number)
    assert (row.state, row.text) == (State.INTERRUPTED, "")
    assert row.thinking is not None
    assert row.thinking.startswith(saved.thinking or "never")
    assert row.thinking == words(len(row.thinking.split()))
    assert (row.thinking_tokens or 0) >= len((saved.thinking or "").split())
    assert (row.thinking_ms or 0) > 0


@pytest.fixture
def thinker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None) -> Any:
    """The small model with a template of thinking, greedy: its tokens are those of its text."""

    def load(template: str) -> Any:
        (tmp_path / "own.jinja").write_text(template)
        monkeypatch.setenv("CHAT_TEMPLATE", str(tmp_path / "own.jinja"))
        backends.unload()
        return backends.load("llamacpp", Settings.read())

    return load


@pytest.mark.usefixtures("database_url")
def test_usage_store_and_meter_agree_with_a_count_of_our_own(thinker: Any) -> None:
    model, store = thinker(OPENS), mine()
    options = {"temperature": 0.0, "max_tokens": 60, "ignore_eos": True, "reasoning_budget": 20}
    answer, reply = turn.start_turn(store, None, "Tell me of the sea.", ask("llamacpp", **options))
    row = over(store, answer)
    report = reply.report
    own = len(model.get_token_ids(row.thinking or ""))
    assert row.thinking
    assert row.text
    assert row.thinking_tokens == report.thinking_tokens == report.thinking.tokens
    assert abs(own - (row.thinking_tokens or 0)) <= 1, "blanks around it are no part of it"
    assert row.completion_tokens == report.completion_tokens == options["max_tokens"]
    marks = len(model.get_token_ids("\n</think>\n\n"))
    told = own + marks + len(model.get_token_ids(row.text))
    assert abs(told - (row.completion_tokens or 0)) <= 2
    assert row.prompt_tokens == model.get_num_tokens_from_messages(report.messages)


@pytest.mark.usefixtures("database_url")
def test_the_next_prompt_has_it_where_the_template_asks_for_it(thinker: Any) -> None:
    store = mine()
    options = {"temperature": 0.0, "max_tokens": 30, "ignore_eos": True, "reasoning_budget": 10}
    for template, is_kept in ((OPENS, False), (KEEPS, True)):
        model = thinker(template)
        first = over(store, turn.send(store, None, "Tell me of the sea.", ask("llamacpp", **options)))
        assert first.thinking
        answer, reply = turn.start_turn(store, first.conversation_id, "And then?", ask("llamacpp", **options))
        second = over(store, answer)
        prompt = "".join(piece.text for piece in model._render(list(reply.report.messages)).segments)
        assert (first.thinking in prompt) == is_kept
        assert second.prompt_tokens == model.get_num_tokens_from_messages(reply.report.messages)
        assert (second.thinking or "") not in prompt
