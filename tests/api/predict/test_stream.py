"""/predict as a stream: the pieces, then the answer that it gives whole; and what every stream does in a silence."""

import json
from typing import Any

import httpx
import pytest

from api.predict.session import COOKIE
from tests.api.conftest import Serve, idle, wait
from tests.loopback import Loopback

PATHS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    ("/v1/responses", {"input": "hi"}),
    ("/v1/completions", {"prompt": "hi"}),
    ("/predict", {"text": "hi"}),
    ("/predict", {"text": "hi", "mode": "complete"}),
]


def lines(client: httpx.Client, path: str, body: dict[str, Any]) -> list[str]:
    """The lines of a stream that are not empty."""
    with client.stream("POST", path, json={**body, "stream": True}) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [line for line in answer.iter_lines() if line]


def events(found: list[str]) -> list[dict[str, Any]]:
    """The data of those that are JSON."""
    return [json.loads(line[6:]) for line in found if line.startswith("data: {")]


def test_the_pieces_are_the_reply_and_the_last_event_is_the_whole_answer(serve: Serve) -> None:
    client = serve()
    asked = {"text": "hi, how are you?", "temperature": 0}
    whole = client.post("/predict", json=asked).json()
    client.cookies.clear()
    *pieces, last = events(found := lines(client, "/predict", asked))
    assert "".join(piece["delta"] for piece in pieces) == last["reply"] == whole["reply"]
    assert found[-1] == "data: [DONE]"
    assert list(last) == list(whole)
    assert client.cookies[COOKIE] == last["session_id"] != whole["session_id"]
    changed = {"session_id", "reply"}
    assert {k: v for k, v in last.items() if k not in changed} == {k: v for k, v in whole.items() if k not in changed}


def test_a_session_goes_on_from_a_stream_and_a_form_can_ask_for_one(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    lines(client, "/predict", {"text": "My name is Ada."})
    with client.stream("POST", "/predict", files={"text": (None, "Who am I?"), "stream": (None, "true")}) as answer:
        assert events(list(answer.iter_lines()))[-1]["session_id"] == client.cookies[COOKIE]
    said = [message["content"] for message in loopback.requests[-1]["messages"] if message["role"] != "system"]
    assert said == ["My name is Ada.", f"{loopback.reply} ", "Who am I?"]
    *pieces, last = events(lines(client, "/predict", {"text": "Once", "mode": "complete"}))
    assert last["session_id"] is None
    assert "".join(piece["delta"] for piece in pieces) == last["reply"]


@pytest.mark.parametrize(("path", "body"), PATHS[:3] + PATHS[3:4])
def test_a_reply_that_comes_at_once_has_no_comment(
    serve: Serve, loopback: Loopback, path: str, body: dict[str, Any]
) -> None:
    found = lines(serve(LLM_BACKEND="openai", KEEPALIVE_INTERVAL="60"), path, body)
    assert not [line for line in found if line.startswith(":")]


@pytest.mark.parametrize(("path", "body"), PATHS)
def test_a_failure_after_a_silence_is_the_last_event(
    serve: Serve, loopback: Loopback, path: str, body: dict[str, Any]
) -> None:
    loopback.script.extend(["500"] * 3)  # with the pauses between three tries it fails after a second
    client = serve(LLM_BACKEND="openai", KEEPALIVE_INTERVAL="0.1")
    found = lines(client, path, body)
    assert sum(line.startswith(":") for line in found) > 3
    last = events(found)[-1]
    error = last["response"]["error"] if path == "/v1/responses" else last["error"]
    assert "The server had an error." in error["message"]
    wait(lambda: idle("openai"))  # the event comes before the place is free


@pytest.mark.parametrize(("path", "body"), PATHS)
def test_a_client_that_goes_in_a_silence_ends_the_reply(
    serve: Serve, loopback: Loopback, path: str, body: dict[str, Any]
) -> None:
    loopback.script.extend(["slow"])
    loopback.pause = 600
    client = serve(LLM_BACKEND="openai", KEEPALIVE_INTERVAL="0.1")
    with client.stream("POST", path, json={**body, "stream": True}) as answer:
        said = answer.iter_lines()
        next(line for line in said if "word0" in line)
        next(line for line in said if line.startswith(":"))
    wait(lambda: loopback.gone and idle("openai"))
