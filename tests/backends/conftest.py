"""What a backend needs around it before it can answer in a test."""

from collections.abc import Callable
from typing import Any

import pytest

import backends


@pytest.fixture
def backend_environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Sets the variables of a backend; a new file that is ready without any needs no line here."""

    def prepare(name: str) -> None:
        if name == "openai":
            url = request.getfixturevalue("openai_server")
            monkeypatch.setenv("OPENAI_BASE_URL", url)
            loaded: Any = backends.loaded("openai")
            if loaded is not None and loaded.openai_api_base != url:
                backends.unload()

    return prepare
