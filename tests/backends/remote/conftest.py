"""What the tests of servers share: one scripted server for a file, or two, as new for each test, and questions."""

import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage

import backends
from backends.remote import server_pool
from backends.remote.chat import OpenAIChat
from backends.remote.load_balancer import LoadBalancedChat
from chains.assistant import build
from chains.report import Report
from settings import Settings
from tests.conftest import free_port
from tests.loopback import KEY, Loopback
from tests.loopback import running as loopback_server
from tests.scripted import Answer, Scripted, chat, models, serving

Serve = Callable[..., Scripted]
Use = Callable[..., LoadBalancedChat]
HI = {"history": [], "input": "hi"}


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


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Loopback]]:
    """Two scripted servers for all tests of a file that needs several."""
    with ExitStack() as stack:
        yield [stack.enter_context(loopback_server(free_port())) for _ in range(2)]


@pytest.fixture
def pair(servers: list[Loopback]) -> list[Loopback]:
    """Both as if new."""
    for server in servers:
        vars(server).update({**vars(Loopback()), "url": server.url})
    return servers


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, fresh_backends: None) -> Use:
    """Loads the backend over these servers or addresses."""

    def load(*them: Loopback | str, **environment: str) -> LoadBalancedChat:
        urls = [one if isinstance(one, str) else one.url for one in them]
        monkeypatch.setenv("OPENAI_BASE_URL", " , ".join(urls))
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        model = backends.load("openai", Settings.read())
        assert isinstance(model, LoadBalancedChat)
        return model

    return load


@pytest.fixture
def dead() -> str:
    """An address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}/v1"


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that failed is tried again at once."""
    monkeypatch.setattr(server_pool, "FIRST_PAUSE", 0.0)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that failed stays left out for the rest of the test."""
    monkeypatch.setattr(server_pool, "FIRST_PAUSE", 40.0)


def asked(pair: list[Loopback]) -> list[int]:
    return [len(server.requests) for server in pair]


async def read(chunks: AsyncIterator[Any]) -> str:
    return "".join([str(chunk.text) async for chunk in chunks])


def idle(model: LoadBalancedChat) -> bool:
    return not any(model.running_requests.values())
