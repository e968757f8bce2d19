"""Anthropic's own client of the API under test."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic

from tests.api.conftest import Serve
from tests.byte_server import STOP, ByteServer, chunk, delta, stream, words

Talk = Callable[..., Anthropic]
HI: Any = [{"role": "user", "content": "hi, how are you?"}]
ASKED: dict[str, Any] = {"model": "default", "messages": HI, "max_tokens": 20, "extra_body": {"temperature": 0}}
USAGE = {
    "prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 39,
    "completion_tokens_details": {"reasoning_tokens": 25},
}  # fmt: skip


def official(served: httpx.Client, **options: Any) -> Anthropic:
    """Anthropic's client of the same server; it tries nothing twice."""
    given = {"api_key": "none", "auth_token": None, "max_retries": 0, **options}
    return Anthropic(base_url=str(served.base_url), **given)


@pytest.fixture
def talk(serve: Serve) -> Iterator[Talk]:
    """Starts the API with these variables; returns Anthropic's own client of it."""
    clients: list[Anthropic] = []

    def begin(**environment: str) -> Anthropic:
        clients.append(official(serve(**environment)))
        return clients[-1]

    yield begin
    for client in clients:
        client.close()


@pytest.fixture
def thinks(talk: Talk, byte_server: ByteServer) -> Anthropic:
    """The client of a server whose model thinks."""
    thoughts = [delta(reasoning_content="Let me"), delta(reasoning_content=" see.")]
    byte_server.answer(stream(*thoughts, *words(), chunk(STOP, usage=USAGE)))
    return talk(LLM_BACKEND="openai")
