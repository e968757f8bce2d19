"""What nobody foresaw: the client is told so in OpenAI's form, and the log says where, but not in whose words."""

import logging
from collections.abc import Iterator

import httpx
import pytest
from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI

from api.http import errors
from api.http.log import configure_logging
from api.settings import ApiSettings
from tests.asgi import listening
from tests.conftest import free_port

WORD = "marker"  # stands in no line of code that a log may show
app = FastAPI()
errors.install_handlers(app)
app.add_middleware(CorrelationIdMiddleware)


@app.get("/broken")
def broken() -> None:
    """A mistake of ours in the middle of somebody's words."""
    try:
        raise ValueError(f"zebra {WORD}")
    except ValueError as inner:
        raise RuntimeError(f"okapi {WORD}") from inner


@pytest.fixture
def address() -> Iterator[str]:
    """Where that application listens."""
    port = free_port()
    with listening(app, port):
        yield f"http://127.0.0.1:{port}"


def test_a_mistake_of_ours_is_500_with_the_id_it_is_found_by(address: str) -> None:
    answer = httpx.get(f"{address}/broken", headers={"X-Request-ID": "0" * 32})
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "0" * 32
    said = answer.json()["error"]
    assert (said["type"], said["code"]) == ("server_error", "internal")
    assert "RuntimeError" in said["message"]
    assert "marker" not in answer.text


@pytest.mark.parametrize(("content", "form"), [("0", "text"), ("0", "json"), ("1", "text")])
def test_its_words_are_logged_only_with_log_content(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: str, form: str
) -> None:
    monkeypatch.setenv("LOG_CONTENT", content)
    monkeypatch.setenv("LOG_FORMAT", form)
    with configure_logging(ApiSettings.read()):
        try:
            broken()
        except RuntimeError:
            logging.getLogger("api.x").exception("it broke")
    text = capsys.readouterr().err
    assert "it broke" in text
    assert "in broken" in text
    assert "RuntimeError" in text
    assert "ValueError" in text
    assert ("zebra marker" in text and "okapi marker" in text) is (content == "1")
    assert ("marker" in text) is (content == "1")
