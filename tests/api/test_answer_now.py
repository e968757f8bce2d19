"""Answer now, a budget, and how much to think, over HTTP: a model of this process is steered, a server's is not."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conversations.replies import watch
from conversations.replies.reply import running_replies
from conversations.store import Store, connect
from tests import thinker
from tests.api.conftest import Serve, idle, wait
from tests.loopback import Loopback
from tests.smollm2 import needs_smollm2

ENDLESS = {"ignore_eos": True, "temperature": 1, "max_tokens": 3000}


def stored() -> Store:
    return Store(connect(os.environ["DATABASE_URL"]), "api")


@pytest.fixture
def client(serve: Serve, tmp_path: Path, fresh_backends: None) -> httpx.Client:
    """The API, which answers from SmolLM2 that thinks."""
    return serve(**thinker.environment(tmp_path))


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The JSON of a stream."""
    for line in lines:
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def thinking() -> bool:
    """Whether the one reply that runs has thought of something."""
    return any(watch.can_answer_now(None, reply) for reply in running_replies())


def end_thinking(client: httpx.Client) -> None:
    """Have the session of this client answer once it thinks."""
    wait(thinking)
    client.post("/predict/answer-now")


@needs_smollm2
def test_the_reply_of_a_session_answers_now(client: httpx.Client) -> None:
    first = client.post("/predict", json={"text": "hi", "max_tokens": 8, "reasoning_effort": "none"}).json()
    session = first["session_id"]
    assert stored().get(session).reasoning_effort == "none"
    assert first["reply"].strip(), "it did not think"
    nothing = client.post("/predict/answer-now")
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (409, "not_thinking")
    assert client.post("/predict/answer-now", json={"session_id": "nobody's"}).status_code == 404
    asked = {"text": "Why is the sky blue?", "reasoning_effort": "usual", "stream": True, **ENDLESS}
    with httpx.Client(base_url=client.base_url, timeout=300, cookies=client.cookies) as other:
        answered = threading.Thread(target=end_thinking, args=(other,))
        answered.start()
        with client.stream("POST", "/predict", json=asked) as response:
            delta = next(event["delta"] for event in events(response.iter_lines()) if event["delta"].strip())
        answered.join()
    assert delta
    wait(idle)
    row = stored().thread(session).messages[-1]
    assert row.thinking
    assert row.text.startswith(delta)
    assert stored().get(session).reasoning_effort is None


@needs_smollm2
def test_a_response_answers_now(client: httpx.Client) -> None:
    asked = {"input": "Why is the sky blue?", "stream": True, **ENDLESS}
    with httpx.Client(base_url=client.base_url, timeout=300) as other:
        assert other.post("/v1/responses/resp_none/answer-now").status_code == 404
        with client.stream("POST", "/v1/responses", json=asked) as response:
            rows = events(response.iter_lines())
            identity = next(rows)["response"]["id"]
            wait(thinking)
            answer = other.post(f"/v1/responses/{identity}/answer-now")
            assert answer.json() == {"id": identity, "object": "response", "status": "in_progress"}
            assert next(row["delta"] for row in rows if row["type"] == "response.output_text.delta")
            again = other.post(f"/v1/responses/{identity}/answer-now")
            assert (again.status_code, again.json()["error"]["code"]) == (409, "not_thinking")
    wait(idle)
    assert client.post(f"/v1/responses/{identity}/answer-now").status_code == 404


def test_a_response_of_a_server_is_not_had_answer(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    loopback.script.append("think 300")
    with (
        httpx.Client(base_url=client.base_url, timeout=300) as other,
        client.stream("POST", "/v1/responses", json={"input": "hi", "stream": True}) as response,
    ):
        rows = events(response.iter_lines())
        identity = next(rows)["response"]["id"]
        wait(lambda: loopback.requests)
        refused = other.post(f"/v1/responses/{identity}/answer-now")
    assert refused.status_code == 409
    assert "The thinking of openai cannot be ended" in refused.json()["error"]["message"]


@needs_smollm2
@pytest.mark.parametrize("name", ["reasoning_budget", "thinking_budget_tokens"])
def test_a_request_has_a_budget(client: httpx.Client, name: str) -> None:
    asked = {"messages": [{"role": "user", "content": "Why?"}], name: 5, "ignore_eos": True, "max_tokens": 30}
    answer = client.post("/v1/chat/completions", json=asked).json()
    assert 0 < answer["usage"]["completion_tokens_details"]["reasoning_tokens"] <= 5
    assert answer["choices"][0]["message"]["content"].strip()


@needs_smollm2
def test_a_reply_that_ends_inside_its_thinking_says_so(client: httpx.Client) -> None:
    asked = {"messages": [{"role": "user", "content": "Why?"}], "ignore_eos": True, "max_tokens": 20}
    answer = client.post("/v1/chat/completions", json=asked).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert not answer["choices"][0]["message"]["content"]
    assert answer["choices"][0]["message"]["reasoning_content"]
    assert answer["notice"].startswith("The reply ended inside its thinking: raise max_tokens")
    refused = client.post("/predict", json={"text": "Why?", "ignore_eos": True, "max_tokens": 20})
    assert "used all of its 20 tokens for thinking before an answer" in refused.json()["error"]["message"]


@needs_smollm2
def test_predict_has_a_budget(client: httpx.Client) -> None:
    asked = {"text": "Why?", "reasoning_budget": 0, "ignore_eos": True, "max_tokens": 30}
    assert client.post("/predict", json=asked).json()["reply"].strip()


def test_an_effort_that_the_model_does_not_know_changes_nothing(serve: Serve) -> None:
    client = serve()
    session = client.post("/predict", json={"text": "hi", "max_tokens": 1}).json()["session_id"]
    refused = client.post("/predict", json={"text": "and you?", "reasoning_effort": "high"})
    error = refused.json()["error"]
    assert (refused.status_code, error["param"]) == (400, "reasoning_effort")
    assert error["message"].startswith("high: llamacpp is not asked to think so")
    assert len(stored().thread(session).messages) == 2
    whole = client.post("/predict", json={"text": "x", "mode": "complete", "reasoning_effort": "none"})
    assert (whole.status_code, whole.json()["error"]["param"]) == (400, "reasoning_effort")


@needs_smollm2
def test_a_chat_completion_answers_now(client: httpx.Client) -> None:
    asked = {"messages": [{"role": "user", "content": "Why is the sky blue?"}], "stream": True, "n": 2, **ENDLESS}
    with httpx.Client(base_url=client.base_url, timeout=300) as other:

        def control(identity: str) -> Any:
            body = {"id": identity, "action": "reasoning_end"}
            return other.post("/v1/chat/completions/control", json=body).json()

        assert control("chatcmpl-none") == {"success": False, "message": "No such completion is being made here."}
        with client.stream("POST", "/v1/chat/completions", json={**asked, "reasoning_control": True}) as response:
            assert "x-ignored-fields" not in response.headers
            rows = events(response.iter_lines())
            identity = next(rows)["id"]
            wait(lambda: len(running_replies()) == 2 and all(watch.can_answer_now(None, r) for r in running_replies()))
            assert control(identity) == {"success": True}
            answered = set[int]()
            while len(answered) < 2:
                answered |= {each["index"] for each in next(rows)["choices"] if each["delta"].get("content")}
            assert control(identity) == {"success": False, "message": "This reply answers already."}
    wait(idle)
    wrong = client.post("/v1/chat/completions/control", json={"id": "x", "action": "stop"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "action")


def test_a_completion_of_a_server_is_not_had_answer(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    loopback.script.append("think 300")
    asked = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
    with (
        httpx.Client(base_url=client.base_url, timeout=300) as other,
        client.stream("POST", "/v1/chat/completions", json=asked) as response,
    ):
        rows = events(response.iter_lines())  # which end with who reads them, and the reply with them
        body = {"id": next(rows)["id"], "action": "reasoning_end"}
        answer = other.post("/v1/chat/completions/control", json=body).json()
    assert not answer["success"]
    assert "The thinking of openai cannot be ended" in answer["message"]
