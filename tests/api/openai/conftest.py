"""The official client of the API under test, and what each request must leave behind: nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from openai import OpenAI

from tests.api.conftest import Serve

Talk = Callable[..., OpenAI]
# Noise: drawn from the whole vocabulary, and to the last token.
NOISE: dict[str, Any] = {"temperature": 2.0, "top_k": 0, "top_p": 1.0, "max_tokens": 900, "ignore_eos": True}
HI: Any = [{"role": "user", "content": "hi, how are you?"}]
# A chat template that opens the thinking itself.
THINKS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: <think>\n{# </think> #}"


@pytest.fixture
def talk(serve: Serve) -> Iterator[Talk]:
    """Starts the API with these variables; returns OpenAI's own client of it."""
    clients: list[OpenAI] = []

    def begin(**environment: str) -> OpenAI:
        clients.append(official(serve(**environment)))
        return clients[-1]

    yield begin
    for client in clients:
        client.close()


def official(client: httpx.Client) -> OpenAI:
    """OpenAI's client of the same server; it tries nothing twice."""
    return OpenAI(base_url=f"{client.base_url}/v1", api_key="none", max_retries=0)
