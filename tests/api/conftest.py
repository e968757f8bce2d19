"""The API on a real port, with the settings of the test."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

import backends
from api import app
from conversations.replies.reply import running_replies
from tests.asgi import listening
from tests.conftest import free_port

Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts the API with these variables; returns a client of its address. It answers from llamacpp unless told."""
    with ExitStack() as stack:

        def begin(**environment: str) -> httpx.Client:
            for name, value in {"LLM_BACKEND": "llamacpp", **environment}.items():
                monkeypatch.setenv(name, value)
            port = free_port()
            stack.enter_context(listening(app, port))
            return stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300))

        yield begin


def wait(done: Callable[[], Any], seconds: float = 300) -> None:
    """Until it is so."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def idle(backend: str = "llamacpp") -> bool:
    """Whether no reply runs, no place is held, and the engine's line is empty."""
    held = app.state.api.queues.busy[backend]
    return not running_replies() and not held and not backends.queue_length(backend)
