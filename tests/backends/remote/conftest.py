"""What the tests of servers share: one scripted server for a file, as new for each test, and questions to it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

import backends
from backends.remote.chat import OpenAIChat
from chains.assistant import build
from chains.report import Report
from settings import Settings
from tests.loopback import KEY
from tests.scripted import Answer, Scripted, chat, models, serving

Serve = Callable[..., Scripted]


@pytest.fixture(scope="module")
def running() -> Iterator[Scripted]:
    """One server for all tests of a file."""
    with serving({}) as server:
        yield server


@pytest.fixture
def serve(running: Scripted, monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> Serve:
    """Lets the server answer so, and the `openai` backend ask it; without more it lists one model and says "Fine"."""

    def start(answers: dict[str, Answer] | None = None, **environment: str) -> Scripted:
        running.requests.clear()
        running.headers.clear()
        usual = {"/v1/models": models("m-1"), "/v1/chat/completions": chat("Fine")}
        running.answers = {**usual, **(answers or {})}
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        backends.unload()
        return running

    return start


async def ask(
    text: str = "hi",
    history: Sequence[BaseMessage] = (),
    partial: str = "",
    model: str | None = None,
    **options: Any,
) -> tuple[str, Report]:
    """A reply of the `openai` backend through the chain, and its report."""
    report = Report()
    chain = build(Settings.read(), "openai", model=model, options=options)
    inputs = {"history": list(history), "input": text, "partial": [AIMessage(partial)] if partial else []}
    return "".join([part async for part in chain.astream(inputs, {"callbacks": [report]})]), report


def client() -> OpenAIChat:
    """The loaded client of the one server."""
    model = backends.load("openai", Settings.read())
    assert isinstance(model, OpenAIChat)
    return model
