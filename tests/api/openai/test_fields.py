"""What becomes of each field of a request, for chat, completions and responses alike."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.open_model import MAX_HEADER, format_names
from api.http.refused import NoEffect, Refused
from api.openai.chat import ChatCompletionRequest
from api.openai.completions import TextCompletionRequest
from api.openai.fields import TABLE, markdown
from api.openai.responses import ResponseRequest
from settings import ROOT
from tests.api.conftest import Serve
from tests.api.openai.conftest import HI
from tests.loopback import Loopback

BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HI, "max_tokens": 1},
    "/v1/completions": {"prompt": "I like", "max_tokens": 1},
    "/v1/responses": {"input": "hi", "max_output_tokens": 1},
}
MODELS: dict[str, type[ChatCompletionRequest | TextCompletionRequest | ResponseRequest]] = {
    "chat": ChatCompletionRequest,
    "completions": TextCompletionRequest,
    "responses": ResponseRequest,
}
ANYTHING: tuple[Any, ...] = (True, 1, "x", ["x"], {"x": "y"})


def post(client: httpx.Client, path: str, **fields: Any) -> httpx.Response:
    return client.post(path, json={**BODIES[path], **fields})


def undeclared(path: str) -> dict[str, Any]:
    """The table without what this route's request declares."""
    model = dict(zip(BODIES, MODELS.values(), strict=True))[path]
    return {name: field for name, field in TABLE.items() if name not in model.model_fields}


@pytest.mark.parametrize("path", BODIES)
def test_what_no_answer_depends_on_is_taken_whatever_it_holds(serve: Serve, path: str) -> None:
    client = serve()
    names = [name for name, field in undeclared(path).items() if isinstance(field, NoEffect)]
    for value in (*ANYTHING, None, False, 0, "", [], {}):
        answer = post(client, path, **dict.fromkeys(names, value))
        assert answer.status_code == 200, answer.text
        assert "x-ignored-fields" not in answer.headers


@pytest.mark.parametrize("path", BODIES)
def test_what_cannot_be_done_is_refused_by_name(serve: Serve, path: str) -> None:
    client, tried = serve(), 0
    for name, field in undeclared(path).items():
        for value in ANYTHING if isinstance(field, Refused) else ():
            if field.accepts(value):
                continue
            error = post(client, path, **{name: value}).json()["error"]
            assert (error["code"], error["param"]) == ("unsupported_parameter", name)
            tried += 1
    assert tried > 200


@pytest.mark.parametrize("path", BODIES)
def test_a_value_that_asks_for_nothing_passes(serve: Serve, path: str) -> None:
    client = serve()
    refused = {name: field for name, field in undeclared(path).items() if isinstance(field, Refused)}
    for at in range(max(len(field.allowed) for field in refused.values())):
        answer = post(client, path, **{name: field.allowed[at % len(field.allowed)] for name, field in refused.items()})
        assert answer.status_code == 200, answer.text
        assert "x-ignored-fields" not in answer.headers


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_null_and_empty_fields_are_none(serve: Serve, path: str, empty: Any) -> None:
    client = serve()
    model = dict(zip(BODIES, MODELS.values(), strict=True))[path]
    names = [name for name, field in model.model_fields.items() if not field.is_required() and name not in BODIES[path]]
    assert {"model", "temperature", "stop", "stream_options", "seed"} <= set(names)
    answer = post(client, path, **dict.fromkeys([name for name in names if name != "files"], empty))
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "default"


NEUTRAL: list[tuple[str, Any]] = [
    ("top_k", -1),
    ("min_tokens", 0),
    ("store", True),
    ("store", False),
    ("user", "me"),
    ("service_tier", "flex"),
    ("prompt_cache_key", "k"),
    ("client_metadata", {"a": "b"}),
    ("cache_prompt", True),
    ("metadata", {"a": "b"}),
    ("tool_choice", "auto"),
    ("tools", []),
    ("response_format", {"type": "text", "json_schema": None}),
    ("length_penalty", 1.0),
    ("audio", {"voice": None}),
    ("max_tokens", -1),
    ("seed", -1),
    ("logprobs", False),
]


@pytest.mark.parametrize("path", BODIES)
def test_what_clients_send_by_themselves_passes(serve: Serve, path: str) -> None:
    client = serve(MAX_TOKENS="1")
    for name, value in NEUTRAL:
        answer = post(client, path, **{name: value})
        assert answer.status_code == 200, (name, answer.text)


WANTED: list[tuple[str, Any]] = [
    ("logprobs", True),
    ("top_logprobs", 3),
    ("logit_bias", {"5": 1}),
    ("tools", [{"type": "function"}]),
    ("functions", [{"name": "f"}]),
    ("tool_choice", "required"),
    ("audio", {"voice": "a"}),
    ("min_tokens", 1),
    ("structural_tag", {"type": "x"}),
    ("reasoning_effort", "low"),
    ("suffix", "x"),
    ("echo", True),
    ("best_of", 2),
]


@pytest.mark.parametrize("path", BODIES)
def test_what_would_change_the_answer_is_refused_by_name(serve: Serve, path: str) -> None:
    client = serve()
    for name, value in WANTED:
        answer = post(client, path, **{name: value})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", name)
        assert name in error["message"]


def test_more_answers_than_there_may_be_are_refused_by_name(serve: Serve) -> None:
    client = serve()
    for path, code in zip(BODIES, ("invalid_value", "invalid_value", "unsupported_parameter"), strict=True):
        error = post(client, path, n=9).json()["error"]
        assert (error["code"], error["param"]) == (code, "n")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [False, True])
def test_any_other_field_is_ignored_and_named(
    serve: Serve, caplog: pytest.LogCaptureFixture, path: str, stream: bool
) -> None:
    client = serve(CORS_ORIGINS="https://chat.example")
    caplog.set_level(logging.INFO, "api.openai.request")
    fields = {"temprature": 1, "x\r\ny": True, "provider": {"sort": "price"}, "stream_options": {"continuous": True}}
    answer = client.post(
        path, json={**BODIES[path], **fields, "stream": stream}, headers={"origin": "https://chat.example"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-ignored-fields"] == "temprature, ?, provider, stream_options.continuous"
    assert "X-Ignored-Fields" in answer.headers["access-control-expose-headers"]
    lines = [record for record in caplog.records if record.message == "fields ignored"]
    assert [vars(line)["fields"] for line in lines] == [answer.headers["x-ignored-fields"]]


def test_the_header_is_bounded() -> None:
    names = format_names(f"field_{number}" for number in range(1000))
    assert len(names) <= MAX_HEADER
    assert names.startswith("field_0, field_1, ")
    assert names.endswith(", ...")
    assert format_names(["a", "ä", "", "x" * 65, "a, b", "a"]) == "a, ?"


TEMPLATE = """{% for m in messages %}{{ m.role }}: {{ m.content }}
{% endfor %}{% if enable_thinking %}Think about it for a long time, and then answer.
{% endif %}{{ word }}assistant:"""


def prompt_tokens(client: httpx.Client, **fields: Any) -> int:
    answer = post(client, "/v1/chat/completions", **fields)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["usage"]["prompt_tokens"])


def test_template_variables_reach_the_template(serve: Serve, tmp_path: Path, fresh_backends: None) -> None:
    path = tmp_path / "chat.jinja"
    path.write_text(TEMPLATE)
    client = serve(CHAT_TEMPLATE=str(path))
    plain = prompt_tokens(client)
    assert prompt_tokens(client, chat_template_kwargs={"enable_thinking": False}) == plain
    assert prompt_tokens(client, chat_template_kwargs={"enable_thinking": True}) > plain
    assert prompt_tokens(client, chat_template_kwargs={"unknown": [1]}) == plain
    assert prompt_tokens(client, chat_template_kwargs={"word": "<|end|>"}) > plain + 1, "a text, and no special token"
    for effort, thinks in (("none", False), ("low", True), ("high", True)):
        assert (prompt_tokens(client, reasoning_effort=effort) > plain) is thinks
    answer = client.post("/v1/responses", json={"input": HI, "max_output_tokens": 1, "reasoning": {"effort": "low"}})
    assert answer.json()["usage"]["input_tokens"] > plain
    refused = post(client, "/v1/chat/completions", chat_template_kwargs={"messages": []})
    assert (refused.status_code, "chat_template_kwargs.messages" in refused.text) == (400, True)


def test_a_model_without_thinking_refuses_to_think(serve: Serve) -> None:
    client = serve()
    for path, fields in (
        ("/v1/chat/completions", {"reasoning_effort": "low"}),
        ("/v1/responses", {"reasoning": {"effort": "low", "summary": "auto"}}),
    ):
        for stream in (False, True):
            answer = post(client, path, **fields, stream=stream)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"]) == (400, "unsupported_parameter")
            assert error["param"] == "reasoning_effort"
            assert "reasoning_effort=low" in error["message"]
        assert post(client, path, **json.loads(json.dumps(fields).replace("low", "none"))).status_code == 200


def test_a_server_is_sent_what_it_knows(serve: Serve, loopback: Loopback) -> None:
    client = serve(LLM_BACKEND="openai")
    wanted = {"reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": False}, "top_k": -1}
    assert client.post("/v1/chat/completions", json={"messages": HI, **wanted}).status_code == 200
    client.post("/v1/responses", json={"input": "hi", "reasoning": {"effort": "low"}})
    first, second = loopback.requests
    assert {name: first.get(name) for name in wanted} == wanted
    assert second["reasoning_effort"] == "low"


def test_the_page_names_every_field() -> None:
    assert markdown(MODELS) in (ROOT / "docs" / "api.md").read_text(), markdown(MODELS)
