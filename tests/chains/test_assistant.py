"""The chain itself: prompt, history, report, and that nothing reaches a model around it."""

import contextvars
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.tracers.context import register_configure_hook
from streamlit.testing.v1 import AppTest

import backends
import cli
from chains.assistant import build
from chains.report import Report
from settings import ROOT, Settings
from tests.loopback import Loopback


def test_it_is_prompt_model_parser(settings: Settings) -> None:
    steps: Any = build(settings, "llamacpp")
    assert [type(step).__name__ for step in steps.steps] == ["ChatPromptTemplate", "FallbackModel", "TextParser"]
    assert isinstance(steps.last, StrOutputParser)


async def test_system_history_and_input_arrive_as_data(loopback: Loopback) -> None:
    chain = build(Settings.read(), "openai", system="Say {nothing} of {{this}}.")
    history = [HumanMessage("{a}"), AIMessage("{{b}}")]
    await chain.ainvoke({"history": history, "input": "{c} {% x %}"})
    assert [(m["role"], m["content"]) for m in loopback.requests[-1]["messages"]] == [
        ("system", "Say {nothing} of {{this}}."), ("user", "{a}"), ("assistant", "{{b}}"), ("user", "{c} {% x %}")
    ]  # fmt: skip


async def test_an_empty_system_prompt_is_no_message(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    await build(Settings.read(), "openai", system="").ainvoke({"history": [], "input": "hi"})
    assert [m["role"] for m in loopback.requests[-1]["messages"]] == ["user"]
    monkeypatch.setenv("SYSTEM_PROMPT", "Be brief.")
    await build(Settings.read(), "openai").ainvoke({"history": [], "input": "hi"})
    assert loopback.requests[-1]["messages"][0]["content"] == "Be brief."


@pytest.mark.parametrize("backend", backends.LOCAL)
async def test_the_report_stands_beside_the_text(backend: str, settings: Settings) -> None:
    report = Report()
    chain = build(settings, backend, options={"max_tokens": 12, "seed": 1})
    text = await chain.ainvoke({"history": [], "input": "hi, how are you?"}, {"callbacks": [report]})
    summary = report.summary()
    assert text.strip()
    assert summary["backend"] == backend
    assert summary["model"].startswith("models/default")
    assert 0 < summary["completion_tokens"] <= 12
    assert summary["ttft_ms"] > 0
    assert summary["stop_reason"] in {"stop", "length"}
    assert summary["prompt_tokens"] > 20


class Calls(BaseCallbackHandler):
    """Counts calls of chat models inside and outside a chain."""

    inside = outside = 0

    def on_chat_model_start(self, serialized: Any, messages: Any, *, parent_run_id: Any = None, **kwargs: Any) -> None:
        if parent_run_id is None:
            Calls.outside += 1
        else:
            Calls.inside += 1


def test_nothing_reaches_a_model_but_through_the_chain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page and every command, with a listener that LangChain puts on each run in this process."""
    variable: contextvars.ContextVar[Calls | None] = contextvars.ContextVar("calls", default=None)
    register_configure_hook(variable, inheritable=True, handle_class=Calls, env_var="COUNT_CALLS")
    monkeypatch.setenv("COUNT_CALLS", "1")
    monkeypatch.setenv("LLM_BACKEND", "llamacpp")
    for command in (["ask", "hi"], ["ask", "hi", "--raw"], ["backends"], ["config"]):
        monkeypatch.setattr("sys.argv", ["cli.py", *command])
        with pytest.raises(SystemExit):
            cli.main()
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300).run()
    page.chat_input[0].set_value("hi").run()
    while any(b.label == "Stop" for b in page.button):
        page.run()
    assert not page.exception
    assert "ready" in capsys.readouterr().out
    assert (Calls.inside, Calls.outside) == (3, 0)
