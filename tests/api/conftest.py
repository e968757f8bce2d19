"""The API on a real port, with the settings of the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from api import app
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
