"""What the chat page says of messages that the model no longer sees."""

import pytest

from tests.loopback import Loopback
from tests.page.test_app import page, texts, wait_for_reply

LONG = "I went to the market in the morning and came back with apples, bread and a large piece of cheese. " * 6


def captions(app: object) -> list[str]:
    return [str(c.value) for c in app.caption]  # type: ignore[attr-defined]


def test_the_small_model_trims_and_says_why(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    monkeypatch.setenv("LLAMACPP_N_CTX", "256")
    monkeypatch.setenv("MAX_TOKENS", "8")
    monkeypatch.setenv("CONTEXT_STRATEGY", "summarize")
    app = wait_for_reply(page().chat_input[0].set_value(LONG[:400]).run())
    assert "cannot summarise" in " ".join(captions(app)), "in Settings, before anything is dropped"
    wait_for_reply(app.chat_input[0].set_value(LONG[:500]).run())
    said = " ".join(captions(app))
    assert "2 earlier messages are outside the model's window" in said
    assert said.count("the small model that ships cannot summarise") == 2


def test_a_summary_is_there_to_read_with_what_it_cost(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_N_CTX", "700")
    monkeypatch.setenv("CONTEXT_STRATEGY", "summarize")
    app = page()
    for _ in range(4):
        wait_for_reply(app.chat_input[0].set_value(LONG).run())
    [summary] = [e for e in app.expander if e.label.startswith("Summary of the first")]
    assert summary.text[0].value == loopback.reply
    assert "openai · 7 tokens read, 6 written" in summary.caption[0].value
    assert texts(app)[0] == LONG.strip() or texts(app)[0] == LONG


def test_what_went_wrong_beside_a_reply_is_said(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_N_CTX", "700")
    monkeypatch.setenv("CONTEXT_STRATEGY", "summarize")
    app = page()
    for _ in range(2):
        wait_for_reply(app.chat_input[0].set_value(LONG).run())
    asked = len(loopback.requests)
    loopback.script.append("refuse summaries")
    wait_for_reply(app.chat_input[0].set_value(LONG).run())
    assert len(loopback.requests) == asked + 2, "a summary, and the reply"
    said = " ".join(captions(app))
    assert "could not be summarised" in said
