"""Keys, as people make, send, mistype and edit them."""

import hmac
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fastapi import Request
from pydantic import SecretStr

from api.application import app, openapi_document
from api.http.auth import client_address, hash_key, key_hashes
from api.lifespan import lifespan
from settings import ROOT, Settings, SettingsError
from tests.api.conftest import Serve

# Twilio's asks for its signature, or for a key like the others; who has a link's words needs no key.
OPEN = {"/", "/health", "/sms", "/shared/{token}"}


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


def test_every_route_but_health_demands_a_key(serve: Serve) -> None:
    client = serve(API_KEYS="right")
    described = [(path, verb.upper()) for path, verbs in openapi_document()["paths"].items() for verb in verbs]
    beside = [("/docs", "GET"), ("/openapi.json", "GET"), ("/docs/swagger-ui.css", "GET")]
    asked = [(path, verb) for path, verb in [*described, *beside] if path not in OPEN]
    assert len(asked) > 10
    for path, verb in asked:
        for headers in ({}, bearer("wrong"), {"Authorization": "Basic cmlnaHQ6cmlnaHQ="}, {"Authorization": "Bearer"}):
            answer = client.request(verb, path.replace("{model}", "default"), headers=headers)
            assert answer.status_code == 401, (path, headers)
            error = answer.json()["error"]
            told = error if isinstance(error, str) else error.get("code") or error["type"]  # in each family's own form
            assert told in {"invalid_api_key", "authentication_error"} or (path.startswith("/api/") and "key" in told)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "right" not in answer.text
    for path in ("/metrics", "/docs", "/openapi.json", "/v1/models", "/docs/swagger-ui.css"):
        assert client.get(path, headers=bearer("right")).status_code == 200, path
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("key", ["righ", "rightt", "Right", "right,other", "ri\xa0ght", "é" * 50])
def test_a_key_that_is_almost_right_is_wrong(serve: Serve, key: str) -> None:
    client = serve(API_KEYS="right,other")
    assert client.get("/v1/models", headers=[(b"Authorization", f"Bearer {key}".encode())]).status_code == 401


@pytest.mark.parametrize("keys", ["schlüssel", "fine,tw\x07o"])
def test_a_key_that_no_client_can_send_is_named_at_the_start(keys: str) -> None:
    with pytest.raises(SettingsError, match="API_KEYS: a key has characters") as raised:
        key_hashes(Settings(api_keys=SecretStr(keys)))
    assert keys not in str(raised.value)


def test_each_key_has_its_own_conversations(serve: Serve) -> None:
    client = serve(API_KEYS="one, two ,")
    said = {"text": "hi", "max_tokens": 5}
    identity = client.post("/predict", json=said, headers=bearer("one")).json()["session_id"]
    client.cookies.clear()
    again = {**said, "session_id": identity}
    assert client.post("/predict", json=again, headers=bearer("two")).status_code == 404
    assert client.post("/reset", json={"session_id": identity}, headers=bearer("two")).status_code == 404
    assert client.post("/predict", json=again, headers=bearer("one")).status_code == 200


def test_all_keys_are_compared_in_constant_time(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, two: str) -> bool:
        compared.append((one, two))
        return hmac_compare(one, two)

    hmac_compare = hmac.compare_digest
    client = serve(API_KEYS="one,two,three")
    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert client.get("/v1/models", headers=bearer("one")).status_code == 200
    assert [known for _, known in compared[:3]] == [hash_key(key) for key in ("one", "two", "three")]


def test_a_file_of_keys_is_read_again_when_it_was_edited(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\nalice:{hash_key('first')}\n\n")
    client = serve(API_KEYS_FILE=str(file))

    def status(key: str) -> int:
        return client.get("/v1/models", headers=bearer(key)).status_code

    assert [status("first"), status("second"), status(hash_key("first"))] == [200, 401, 401]
    time.sleep(0.01)
    file.write_text(f"bob:{hash_key('second')}\n")
    assert [status("first"), status("second")] == [401, 200]
    file.write_text("second\n")
    assert status("second") == 503
    file.write_text("")
    assert status("second") == 503
    file.unlink()
    answer = client.get("/v1/models", headers=bearer("second"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "keys_unavailable")
    assert client.get("/v1/models").status_code == 503  # nobody comes in without one either
    file.write_text(f"bob:{hash_key('second')}\n")
    assert status("second") == 200


def test_a_spoilt_file_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("\nsk-plain\n")
    given = {**os.environ, "PYTHONPATH": str(ROOT), "API_KEYS_FILE": str(tmp_path / "keys"), "LLM_BACKEND": "llamacpp"}
    ended = subprocess.run(
        [sys.executable, "-m", "uvicorn", "api:app", "--port", "0"],
        cwd=tmp_path,
        env=given,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 3
    assert "line 2: no hashed key" in ended.stderr
    assert "sk-plain" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("alice:short\n", "line 1: no hashed key"),
        ("\nsk-plain\n", "line 2: no hashed key"),
        ("# none\n", "hold no key"),
    ],
)
async def test_whatever_is_spoilt_in_it_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    (tmp_path / "keys").write_text(text)
    monkeypatch.setenv("API_KEYS_FILE", str(tmp_path / "keys"))
    with pytest.raises(SettingsError, match=said) as raised:
        async with lifespan(app):
            pass
    assert "sk-plain" not in str(raised.value)


def made(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`cli.py key`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "key", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_key_of_the_terminals_making_opens(serve: Serve, tmp_path: Path) -> None:
    ended = made("alice", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    (tmp_path / "keys").write_text(ended.stdout)
    key = re.search(r"sk-\S{43}$", ended.stderr.strip())
    assert key is not None
    assert ended.stdout == f"alice:{hash_key(key[0])}\n"
    client = serve(API_KEYS_FILE=str(tmp_path / "keys"))
    assert client.get("/v1/models", headers=bearer(key[0])).status_code == 200


def test_a_name_that_would_spoil_the_file_is_refused(tmp_path: Path) -> None:
    ended = made("a b", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("NAME=a b: a name has no spaces")


def test_addresses_are_told_apart_and_never_shown(serve: Serve) -> None:
    client = serve(RATE_LIMIT="1/minute")
    said = {"text": "hi", "max_tokens": 3}
    statuses = [client.post("/predict", json=said).status_code for _ in range(2)]
    with httpx.Client(base_url=client.base_url, transport=httpx.HTTPTransport(local_address="127.0.0.2")) as other:
        statuses.append(other.post("/predict", json=said, timeout=300).status_code)
    assert statuses == [200, 429, 200]


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("a-socket", "a-socket"),
    ],
)
def test_who_has_a_whole_network_of_addresses_is_one_caller(host: str, counted: str) -> None:
    assert client_address(Request({"type": "http", "client": (host, 1)})) == counted
