"""Retries, fallback and the empty reply, against a server that misbehaves and through the whole chain."""

from pathlib import Path
from typing import Any

import openai
import pytest
from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelRateLimitError,
)
from langchain_core.messages import AIMessage, HumanMessage

import backends
from chains.assistant import build, build_verbatim
from chains.fallback import EmptyReplyError
from chains.report import Report
from settings import Settings
from tests.loopback import KEY, Loopback

QUESTION: dict[str, Any] = {"history": [], "input": "hi"}


async def ask(backend: str = "openai", raw: bool = False, **options: Any) -> tuple[str, Report]:
    report = Report()
    chain = build(Settings.read(), backend, raw=raw, options=options)
    parts = [part async for part in chain.astream(QUESTION, {"callbacks": [report]})]
    return "".join(parts).strip(), report


@pytest.mark.parametrize("failure", ["429 0", "500", "503", "close at once", "malformed", "empty"])
async def test_one_failure_is_tried_again_and_counted(loopback: Loopback, failure: str) -> None:
    loopback.script.append(failure)
    reply, report = await ask()
    assert reply == loopback.reply
    assert len(report.retries) == 1
    assert report.backend == "openai"


def test_the_same_without_async(loopback: Loopback) -> None:
    loopback.script.extend(["500", "empty"])
    report = Report()
    reply = build(Settings.read(), "openai").invoke(QUESTION, {"callbacks": [report]})
    assert reply.strip() == loopback.reply
    assert len(report.retries) == 2


async def test_retry_after_is_obeyed(loopback: Loopback) -> None:
    loopback.script.append("429 1")
    _, report = await ask()
    assert report.ttft_ms is not None
    assert report.ttft_ms > 1000


async def test_after_three_tries_the_failure_is_reported(loopback: Loopback) -> None:
    loopback.script.extend(["429 0"] * 3)
    with pytest.raises(ModelRateLimitError, match="Wait a little") as caught:
        await ask()
    assert isinstance(caught.value.__cause__, openai.RateLimitError), "the server's own failure stays its cause"
    assert len(loopback.requests) == 3


async def test_a_long_wait_is_not_waited_for(loopback: Loopback) -> None:
    loopback.script.append("429 600")
    with pytest.raises(ModelRateLimitError):
        await ask()
    assert len(loopback.requests) == 1


async def test_an_empty_reply_is_reported_never_given(loopback: Loopback) -> None:
    loopback.script.extend(["empty"] * 3)
    with pytest.raises(EmptyReplyError, match="openai gave an empty reply"):
        await ask()


async def test_what_cannot_be_helped_by_another_try_is_not_retried(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(ModelAuthenticationError):
        await ask()
    assert len(loopback.requests) == 1


async def test_a_reply_that_was_seen_is_never_begun_again(loopback: Loopback) -> None:
    loopback.script.append("cut")
    with pytest.raises(ModelConnectionError, match="openai"):
        await ask()
    assert len(loopback.requests) == 1


async def test_the_fallback_answers_and_says_so(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp")
    loopback.script.extend(["500"] * 3)
    reply, report = await ask(temperature=0.5, model="only-there", max_tokens=5)
    assert reply
    assert report.backend == "llamacpp"
    assert len(report.retries) == 3
    assert report.window == 1024


async def test_a_backend_that_cannot_be_built_falls_back(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> None:
    monkeypatch.setenv("GPT2_MODEL", "/no/such/model")
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp")
    reply, report = await ask("gpt2", max_tokens=5)
    assert (bool(reply), report.backend) == (True, "llamacpp")


async def test_a_provider_without_its_package_names_it(fresh_backends: None) -> None:
    with pytest.raises(ModelNotFoundError, match="pip install"):
        await ask("mistralai:small-test")
    with pytest.raises(ModelNotFoundError, match="nobody:"):
        await ask("nobody:none")
    assert backends.loaded_model("nobody:none") is None


async def test_when_all_fail_every_cause_is_named(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_FALLBACK", "gpt2")
    monkeypatch.setenv("GPT2_MODEL", "/no/such/model")
    loopback.script.extend(["500"] * 3)
    with pytest.raises(ModelNotFoundError, match=r"(?s)server had an error.*GPT2_MODEL=/no/such/model"):
        await ask()


async def test_a_provider_names_what_it_lacks_or_refuses(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelInvalidRequestError, match="top_k"):
        await ask("openai:some-model", top_k=3)
    with pytest.raises(ModelInvalidRequestError, match="gpt2 and llamacpp"):
        await ask("openai:some-model", raw=True)
    backends.unload()
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelNotFoundError, match="OPENAI_API_KEY"):
        await ask("openai:some-model")
    Path(".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert (await ask("openai:some-model"))[0] == loopback.reply


async def test_any_provider_langchain_knows_answers(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """`provider:model` with the one provider that is installed, at the loopback server."""
    monkeypatch.setenv("LLM_BACKEND", "openai:some-model")
    choice = backends.choose(Settings.read())
    assert choice.name == "openai:some-model"
    reply, report = await ask(choice.name, temperature=0.2)
    assert reply == loopback.reply
    assert (report.backend, loopback.requests[-1]["model"]) == ("openai:some-model", "some-model")


async def said(messages: list[Any], backend: str = "openai", **options: Any) -> str:
    chain = build_verbatim(Settings.read(), backend, options)
    return "".join([part async for part in chain.astream({"messages": messages})])


async def test_messages_go_to_the_model_exactly_as_they_are(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_N_CTX", "40")
    monkeypatch.setenv("SYSTEM_PROMPT", "Never said.")
    braces = "{input} {{ }} " * 40
    assert (await said([HumanMessage(braces), AIMessage("yes"), HumanMessage("no")])).strip() == loopback.reply
    told = [(m["role"], m["content"]) for m in loopback.requests[-1]["messages"]]
    assert told == [("user", braces), ("assistant", "yes"), ("user", "no")], "nothing added, nothing dropped"


async def test_what_does_not_fit_whole_is_refused() -> None:
    with pytest.raises(ContextOverflowError, match="tokens"):
        await said([HumanMessage("word " * 2000), HumanMessage("hi")], "llamacpp")


async def test_exactly_asks_no_other_backend_and_takes_an_empty_reply(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp")
    loopback.script.append("empty")
    assert await said([HumanMessage("hi")]) == ""
    assert len(loopback.requests) == 1
    loopback.script.append("refuse top_k")
    with pytest.raises(ModelInvalidRequestError, match="top_k"):
        await said([HumanMessage("hi")])
