"""Logs of a real server: a line for each request and each reply, an id in each, and no word of what was said."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.auth import hash_key
from tests.api.process import Process, served
from tests.loopback import Loopback

PROMPT, REPLY, KEY, PHONE, WRONG = "zebramarker", "okapimarker", "sk-keymarker", "+15005559876", "sk-wrongmarker"
MARKS = (PROMPT, REPLY, "keymarker", "5005559876", "wrongmarker", hash_key(KEY), "loopback-secret")
HEADERS = {"Authorization": f"Bearer {KEY}"}


def chat(text: str = PROMPT, **more: Any) -> dict[str, Any]:
    """A body for /v1/chat/completions."""
    return {"model": "default", "messages": [{"role": "user", "content": text}], **more}


def everything(server: Process, loopback: Loopback) -> None:
    """Requests of every kind, and every kind of failure."""
    loopback.reply = f"{REPLY} is the reply"
    with httpx.Client(base_url=server.url, headers=HEADERS, timeout=300) as client:
        said = {"text": PROMPT}
        assert REPLY in client.post("/predict", json=said).text
        assert REPLY in client.post("/v1/chat/completions", json=chat(stream=True)).text
        client.post("/v1/completions", json={"model": "default", "prompt": PROMPT})
        client.post("/v1/responses", json={"model": "default", "input": PROMPT})
        client.post("/reset", json={})
        client.post("/sms", data={"From": PHONE, "Body": PROMPT, "MessageSid": "SM1"})
        client.post("/predict", content=f'{{"text": "{PROMPT}", broken')
        client.post("/predict", json={"text": [PROMPT]})
        client.post("/predict", json={**said, PROMPT: PROMPT})
        client.post("/predict", json={**said, "session_id": PROMPT})
        client.post("/predict", json={**said, "persona": PROMPT})
        client.post("/v1/chat/completions", json=chat(model=PROMPT))
        client.get(f"/v1/models/{PROMPT}")
        client.get(f"/{PROMPT}?{PROMPT}={PROMPT}")
        client.get("/v1/models", headers={"Authorization": f"Bearer {WRONG}"})
        client.get("/v1/models", headers={"X-Request-ID": f"{PROMPT} {KEY}"})
        client.get("/v1/models", headers={"Origin": f"https://{PROMPT}.example"})
        for failure in ("refuse x", "500", "500", "500", "overflow", "cut", "html", "malformed"):
            loopback.script.append(failure)
        for _ in range(5):
            client.post("/v1/chat/completions", json=chat())
        loopback.script.clear()
        loopback.script.append("slow")
        with client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as answer:
            next(answer.iter_lines())


def environment(loopback: Loopback, **more: str) -> dict[str, str]:
    """Answers come from the scripted server."""
    return {
        "LLM_BACKEND": "openai",
        "OPENAI_BASE_URL": loopback.url,
        "OPENAI_API_KEY": "loopback-secret",
        "API_KEYS": KEY,
        "LOG_LEVEL": "debug",
        **more,
    }


@pytest.mark.parametrize("way", ["uvicorn", "serve"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_word_of_anybody_is_written(tmp_path: Path, loopback: Loopback, form: str, way: str) -> None:
    with served(tmp_path, way, **environment(loopback, LOG_FORMAT=form)) as server:
        everything(server, loopback)
    text = server.wrote()
    assert text.count("/v1/chat/completions") >= 6
    for mark in MARKS:
        assert mark not in text
    assert "Traceback" not in text


def test_log_content_writes_prompt_and_reply_but_no_key(tmp_path: Path, loopback: Loopback) -> None:
    with served(tmp_path, **environment(loopback, LOG_CONTENT="1", LOG_FORMAT="json")) as server:
        everything(server, loopback)
    text = server.wrote()
    said = [row for row in rows(text) if row["logger"] == "api.reply"]
    assert any(PROMPT in row["prompt"] and REPLY in row["reply"] for row in said)
    for mark in ("keymarker", "5005559876", "wrongmarker", "loopback-secret"):
        assert mark not in text


def rows(text: str) -> list[dict[str, Any]]:
    """The lines that are JSON."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_line_for_each_request_and_reply_with_one_id(tmp_path: Path) -> None:
    with served(tmp_path, LOG_FORMAT="json", API_KEYS=KEY) as server:
        answer = httpx.post(
            f"{server.url}/v1/chat/completions",
            json=chat("hi", max_tokens=5),
            timeout=300,
            headers={**HEADERS, "X-Request-ID": "mine-1"},
        )
        httpx.get(f"{server.url}/v1/models/nothing", headers=HEADERS)
    assert answer.headers["x-request-id"] == "mine-1"
    found = rows(server.wrote())
    ours = {row["logger"]: row for row in found if row["request_id"] == "mine-1"}
    request, reply = ours["api.access"], ours["api.reply"]
    assert (request["method"], request["route"], request["status"]) == ("POST", "/v1/chat/completions", 200)
    assert request["ms"] > 0
    assert re.fullmatch(r"key:[0-9a-f]{32}", request["caller"])
    usage = answer.json()["usage"]
    assert reply["backend"] == "llamacpp"
    assert reply["state"] == "done"
    assert (reply["prompt_tokens"], reply["completion_tokens"]) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert 0 < reply["ttft_ms"] <= request["ms"]
    assert "prompt" not in reply
    (missing,) = [row for row in found if row.get("status") == 404]
    assert (missing["route"], missing["error"]) == ("/v1/models/{model:path}", "model_not_found")
    assert all(row["timestamp"] and row["level"] for row in found)
    assert "HTTP/1.1" not in server.wrote()  # nor uvicorn's own line, which holds the path as it was sent


@pytest.mark.parametrize("sent", ["", "a b", "x" * 101, "ü", "a\tb", "<script>"])
def test_an_id_of_another_form_is_replaced(serve: Any, sent: str) -> None:
    given = serve().get("/health", headers=[(b"X-Request-ID", sent.encode())]).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", given)


def test_every_answer_has_an_id_of_its_own(serve: Any) -> None:
    client = serve(API_KEYS=KEY)
    answers = [client.get("/health"), client.get("/health"), client.get("/nothing"), client.post("/predict")]
    assert [a.status_code for a in answers] == [200, 200, 404, 401]
    assert len({a.headers["x-request-id"] for a in answers}) == 4
    assert client.get("/health", headers={"X-Request-ID": "x-1"}).headers.get_list("x-request-id") == ["x-1"]
