"""Whose money is at stake: the warning in the log of a real server, at its start and at the first request."""

import logging
from pathlib import Path

import httpx
import pytest

from api import app
from tests.api.conftest import Serve
from tests.api.process import served

PAID = {"LLM_BACKEND": "openai", "OPENAI_API_KEY": "sk-x"}
WARNING = "spend your money at openai"


@pytest.mark.parametrize(
    ("variables", "warned"),
    [
        ({**PAID, "HOST": "0.0.0.0"}, True),
        ({**PAID, "HOST": "192.0.2.7", "LLM_BACKEND": "llamacpp"}, True),  # the API may be asked for openai, too
        ({**PAID, "HOST": "0.0.0.0", "API_KEYS": "one"}, False),
        (PAID, False),
        ({"HOST": "0.0.0.0"}, False),
        ({"HOST": "0.0.0.0", "LLM_BACKEND": "openai", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, False),
    ],
)
def test_it_is_logged_at_the_start(
    serve: Serve, caplog: pytest.LogCaptureFixture, variables: dict[str, str], warned: bool
) -> None:
    serve(**variables)
    assert (WARNING in caplog.text) is warned


async def test_a_request_that_arrives_from_elsewhere_is_noticed_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    serve(**PAID).get("/health")
    assert WARNING not in caplog.text
    transport = httpx.ASGITransport(app)  # its address is the server's
    async with httpx.AsyncClient(transport=transport, base_url="http://192.0.2.7:5000") as elsewhere:
        for _ in range(2):
            await elsewhere.get("/health")
    assert [record.levelno for record in caplog.records if WARNING in record.getMessage()] == [logging.WARNING]
    assert "192.0.2.7" in caplog.text


def test_page_and_api_say_it_too(tmp_path: Path) -> None:
    with served(tmp_path, "serve", HOST="0.0.0.0", **PAID) as server:
        pass
    assert WARNING in server.wrote()
    assert "Set API_KEYS" in server.wrote()
