"""Pages of other origins: refused, unless they are named; and pages that reach this machine under a strange name."""

import httpx
import pytest

from api.settings import ApiSettings
from settings import SettingsError
from tests.api.conftest import Serve

SAID = {"text": "hi", "max_tokens": 3}
FRIEND, STRANGER = "https://friend.example", "https://stranger.example"


def port(client: httpx.Client) -> int:
    """Where the server listens."""
    assert client.base_url.port is not None
    return client.base_url.port


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", "http://127.0.0.1", "http://127.0.0.1.stranger.example", "http://[", "x"]
)
def test_a_strangers_page_is_refused_before_anything_runs(serve: Serve, origin: str) -> None:
    client = serve()
    for verb, path in (
        ("POST", "/predict"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/health"),
        ("OPTIONS", "/predict"),
    ):
        answer = client.request(verb, path, content='{"text":"hi"}', headers={"Origin": origin})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "origin_not_allowed"
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["x-request-id"]


def test_the_servers_own_page_and_whoever_is_no_page_may_call(serve: Serve) -> None:
    client = serve()
    for origin in (None, f"http://127.0.0.1:{port(client)}"):
        answer = client.post("/predict", json=SAID, headers={"Origin": origin} if origin else {})
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers
    named = {"Host": f"localhost:{port(client)}", "Origin": f"http://localhost:{port(client)}"}
    assert client.get("/health", headers=named).status_code == 200


def test_a_named_origin_may_call_and_read(serve: Serve) -> None:
    client = serve(CORS_ORIGINS=f"{FRIEND}, http://localhost:3000", RATE_LIMIT="9/minute", API_KEYS="one")
    asked = {
        "Origin": FRIEND,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    before = client.options("/v1/chat/completions", headers=asked)
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == FRIEND
    assert "authorization" in before.headers["access-control-allow-headers"]
    answer = client.post("/predict", json=SAID, headers={"Origin": FRIEND, "Authorization": "Bearer one"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "X-RateLimit-Remaining-Requests" in answer.headers["access-control-expose-headers"]
    refused = client.post("/predict", json=SAID, headers={"Origin": FRIEND})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, FRIEND)
    assert client.post("/predict", json=SAID, headers={"Origin": STRANGER}).status_code == 403
    assert client.options("/predict", headers={**asked, "Origin": STRANGER}).status_code == 403


def test_a_star_opens_it_to_every_page(serve: Serve) -> None:
    answer = serve(CORS_ORIGINS="*").get("/health", headers={"Origin": STRANGER})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_a_name_that_was_turned_to_this_machine_is_not_ours(serve: Serve) -> None:
    """DNS rebinding: to the browser the page's origin is the server's."""
    client = serve()
    turned = {"Host": "stranger.example:80", "Origin": "http://stranger.example:80"}
    answer = client.post("/predict", json=SAID, headers=turned)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_not_allowed")
    without = client.get("/health", headers={"Host": "behind.a.proxy.example"})
    assert without.status_code == 200  # no page asks: a proxy's checks, Twilio through a tunnel


def test_with_a_key_the_name_does_not_matter(serve: Serve) -> None:
    turned = {
        "Host": "behind.a.proxy.example",
        "Origin": "https://behind.a.proxy.example",
        "Authorization": "Bearer one",
    }
    assert serve(API_KEYS="one").post("/predict", json=SAID, headers=turned).status_code == 200


@pytest.mark.parametrize("value", ["friend.example", "https://friend.example/", "ftp://friend.example", "https://a b"])
def test_what_is_no_origin_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CORS_ORIGINS", value)
    with pytest.raises(SettingsError, match=r"^CORS_ORIGINS=.* is no origin: write scheme and host"):
        ApiSettings.read()
