"""Thinking in a terminal: chosen, ended by a key, cut, and gone on with."""

from pathlib import Path

from tests import thinker
from tests.conversations.talk import mine, wait_for
from tests.loopback import Loopback
from tests.smollm2 import needs_smollm2
from tests.terminal.conftest import CTRL_C, Run, Start

CTRL_BACKSLASH = "\x1c"


@needs_smollm2
def test_a_thinking_is_ended_cut_and_gone_on_with(chat: Start, tmp_path: Path) -> None:
    environment = {**thinker.environment(tmp_path), **thinker.REPEATING}
    talk = chat(**environment)
    talk.send_line("Tell me about the sea.")
    talk.expect("Ctrl-\\ has it answer now.")
    talk.send_key(CTRL_C)
    talk.expect("stopped while it was thinking: /continue goes on there")
    talk.wait_for_prompt()
    store = mine("terminal")
    [kept] = store.listing()
    cut = store.thread(kept.id).messages[-1]
    assert cut.only_thought
    talk.send_line("/continue")
    talk.expect("Ctrl-\\ has it answer now.")
    talk.send_key(CTRL_BACKSLASH)
    wait_for(lambda: store.message(cut.id).text.strip())
    talk.send_key(CTRL_C)
    talk.wait_for_prompt()
    row = store.message(cut.id)
    assert row.text.strip()
    assert (row.thinking or "").startswith(cut.thinking or "?")
    talk.send_line("/thinking off")
    talk.expect("Thinking: off. llamacpp knows usual, off, on.")
    talk.wait_for_prompt()
    assert store.get(kept.id).reasoning_effort == "none"
    talk.send_line("/thinking high")
    talk.expect("high: llamacpp is not asked to think so: it knows off, on.")
    talk.wait_for_prompt()
    talk.send_line("/thinking much")
    talk.expect("/thinking much: it is one of usual, off, on, ")
    talk.wait_for_prompt()
    assert store.get(kept.id).reasoning_effort == "none"


def test_a_question_is_asked_with_an_effort(run: Run, loopback: Loopback) -> None:
    asked = run("ask", "hi", "--thinking", "low", LLM_BACKEND="openai")
    assert asked.code == 0
    assert loopback.requests[-1]["reasoning_effort"] == "low"


def test_a_word_that_is_no_effort_is_one_line(run: Run) -> None:
    asked = run("ask", "hi", "--thinking", "much")
    assert asked.code == 2
    assert "--thinking much: it is one of usual, off, on, minimal, low, medium, high, xhigh, max." in asked.err


def test_a_model_that_does_not_think_refuses_an_effort(run: Run) -> None:
    asked = run("chat", "--thinking", "high", said="hi\n", LLM_BACKEND="llamacpp")
    assert asked.code == 1
    assert "high: llamacpp is not asked to think so: it does not think" in asked.err
    assert mine("terminal").listing() == []
