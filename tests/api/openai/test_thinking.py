"""What a model thinks, as clients of OpenAI's API read it beside the answer: streamed, whole, and counted."""

from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.api.conftest import Serve
from tests.api.openai.conftest import THINKS
from tests.byte_server import STOP, TEXT, ByteServer, chunk, delta, stream, words
from tests.loopback import Loopback

HI: Any = [{"role": "user", "content": "hi"}]
USAGE = {
    "prompt_tokens": 9, "completion_tokens": 30, "total_tokens": 39,
    "completion_tokens_details": {"reasoning_tokens": 25},
}  # fmt: skip


@pytest.fixture
def client(byte_server: ByteServer, serve: Serve) -> OpenAI:
    """The SDK against our API, which answers from a server whose model thinks."""
    thoughts = [delta(reasoning_content="Let me"), delta(reasoning_content=" see.")]
    byte_server.answer(stream(*thoughts, *words(), chunk(STOP, usage=USAGE)))
    address = serve(LLM_BACKEND="openai").base_url
    return OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


def test_a_whole_answer_has_it_beside_its_text(client: OpenAI) -> None:
    found = client.chat.completions.create(model="default", messages=HI)
    message: Any = found.choices[0].message
    assert (message.content, message.reasoning_content) == (TEXT, "Let me see.")
    assert found.usage is not None
    assert found.usage.completion_tokens_details is not None
    assert found.usage.completion_tokens_details.reasoning_tokens == 25


def test_a_stream_has_it_before_the_text(client: OpenAI) -> None:
    asked = client.chat.completions.create(
        model="default", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    rows = list(asked)
    deltas: list[Any] = [row.choices[0].delta for row in rows if row.choices]
    thoughts = [getattr(each, "reasoning_content", None) for each in deltas]
    texts = [each.content for each in deltas]
    assert "".join(filter(None, thoughts)) == "Let me see."
    assert "".join(filter(None, texts)) == TEXT
    last_thought = max(at for at, each in enumerate(thoughts) if each)
    assert last_thought < min(at for at, each in enumerate(texts) if each)
    assert rows[-1].usage is not None
    assert rows[-1].usage.completion_tokens_details is not None
    assert rows[-1].usage.completion_tokens_details.reasoning_tokens == 25


def test_responses_count_it(client: OpenAI) -> None:
    found = client.responses.create(model="default", input="hi")
    assert found.output_text == TEXT
    assert found.usage is not None
    assert found.usage.output_tokens_details.reasoning_tokens == 25


def test_a_model_of_this_machine_thinks_apart(serve: Serve, tmp_path: Path) -> None:
    template = tmp_path / "own.jinja"
    template.write_text(THINKS)
    address = serve(CHAT_TEMPLATE=str(template)).base_url
    client = OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    long: Any = {"ignore_eos": True}  # else so small a model may end at once
    sent = client.chat.completions.create(model="default", messages=HI, max_tokens=20, extra_body=long)
    message: Any = sent.choices[0].message
    assert message.content == ""
    assert message.reasoning_content
    assert sent.choices[0].finish_reason == "length"


MARKED = f"<think>\nLet me see.\n</think>\n\n{TEXT}"
APART, INLINE, BOTH, HIDDEN = (TEXT, "Let me see."), (MARKED, None), (MARKED, "Let me see."), (TEXT, None)
FORMATS: list[tuple[dict[str, Any], tuple[str, str | None]]] = [
    ({}, APART),
    ({"reasoning_format": "auto"}, APART),
    ({"reasoning_format": "deepseek"}, APART),
    ({"reasoning_format": "parsed"}, APART),
    ({"reasoning_format": "none"}, INLINE),
    ({"reasoning_format": "raw"}, INLINE),
    ({"reasoning_format": "deepseek-legacy"}, BOTH),
    ({"reasoning_format": "hidden"}, HIDDEN),
    ({"include_reasoning": False}, HIDDEN),
    ({"include_reasoning": True, "separate_reasoning": True}, APART),
    ({"separate_reasoning": False}, INLINE),
    ({"reasoning": {"exclude": True}}, HIDDEN),
]


@pytest.mark.parametrize(("fields", "told"), FORMATS, ids=[str(fields) for fields, _ in FORMATS])
def test_it_stands_where_the_client_wants_it(
    client: OpenAI, fields: dict[str, Any], told: tuple[str, str | None]
) -> None:
    asked: Any = {"model": "default", "messages": HI, "extra_body": fields}
    found = client.chat.completions.create(**asked)
    message: Any = found.choices[0].message
    assert (message.content, getattr(message, "reasoning_content", None)) == told
    assert found.usage is not None
    assert found.usage.completion_tokens_details is not None
    assert found.usage.completion_tokens_details.reasoning_tokens == 25
    deltas: list[Any] = [row.choices[0].delta for row in client.chat.completions.create(**asked, stream=True)]
    assert "".join(each.content or "" for each in deltas) == told[0]
    assert "".join(getattr(each, "reasoning_content", None) or "" for each in deltas) == (told[1] or "")


def test_in_the_text_it_ends_before_a_call(byte_server: ByteServer, client: OpenAI) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "now", "arguments": "{}"}}
    ended = chunk({"delta": {}, "finish_reason": "tool_calls"}, usage=USAGE)
    byte_server.answer(stream(delta(reasoning_content="Let me see."), delta(tool_calls=[call]), ended))
    tools = [{"type": "function", "function": {"name": "now"}}]
    asked: Any = {"model": "default", "messages": HI, "tools": tools, "extra_body": {"reasoning_format": "none"}}
    whole = client.chat.completions.create(**asked).choices[0].message.content
    deltas = [row.choices[0].delta for row in client.chat.completions.create(**asked, stream=True)]
    assert whole == "".join(each.content or "" for each in deltas) == "<think>\nLet me see.\n</think>\n\n"


def test_in_the_text_it_stays_open_where_the_reply_ended_within(byte_server: ByteServer, client: OpenAI) -> None:
    cut = chunk({"delta": {}, "finish_reason": "length"}, usage=USAGE)
    byte_server.answer(stream(delta(reasoning_content="Let me see."), cut))
    asked: Any = {"model": "default", "messages": HI, "extra_body": {"reasoning_format": "none"}}
    whole = client.chat.completions.create(**asked).choices[0].message.content
    deltas = [row.choices[0].delta for row in client.chat.completions.create(**asked, stream=True)]
    assert whole == "".join(each.content or "" for each in deltas) == "<think>\nLet me see."


def test_a_format_that_there_is_not_is_named(serve: Serve) -> None:
    answer = serve().post("/v1/chat/completions", json={"messages": HI, "reasoning_format": "xml"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "reasoning_format")


EFFORTS: list[tuple[dict[str, Any], str | None]] = [
    ({"reasoning_effort": "low", "think": True}, "low"),
    ({"reasoning": {"effort": "high"}}, "high"),
    ({"reasoning": {"enabled": False}}, "none"),
    ({"enable_thinking": False}, "none"),
    ({"think": False}, "none"),
    ({"think": "low"}, "low"),
    ({"thinking": False}, "none"),
    ({"thinking": {"type": "disabled"}}, "none"),
    ({"thinking": {"type": "adaptive"}}, None),
    ({"reasoning": {"exclude": True}}, None),
]


def test_how_much_is_thought_by_each_clients_name_for_it(serve: Serve, byte_server: ByteServer) -> None:
    byte_server.answer(stream(*words(), chunk(STOP, usage=USAGE)))
    client = serve(LLM_BACKEND="openai")
    for fields, effort in EFFORTS:
        answer = client.post("/v1/chat/completions", json={"messages": HI, **fields})
        assert answer.status_code == 200, answer.text
        assert "x-ignored-fields" not in answer.headers
        assert byte_server.requests[-1].get("reasoning_effort") == effort, fields


BUDGETS: list[dict[str, Any]] = [
    {"reasoning_budget": 5},
    {"thinking_token_budget": 5},
    {"thinking_budget_tokens": 5},
    {"thinking_budget": 5},
    {"reasoning": {"max_tokens": 5}},
    {"thinking": {"type": "enabled", "budget_tokens": 5}},
]


@pytest.fixture
def thinking(serve: Serve, tmp_path: Path, fresh_backends: None) -> OpenAI:
    """The SDK against a model of this machine, whose template opens its thinking."""
    template = tmp_path / "own.jinja"
    template.write_text(THINKS)
    address = serve(CHAT_TEMPLATE=str(template), KEEPALIVE_INTERVAL="0.05").base_url
    return OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("fields", BUDGETS, ids=str)
def test_a_model_of_this_machine_thinks_so_many_tokens_and_answers(thinking: OpenAI, fields: dict[str, Any]) -> None:
    asked: Any = {"model": "default", "messages": HI, "max_tokens": 30, "temperature": 0}
    found = thinking.chat.completions.create(**asked, extra_body={**fields, "ignore_eos": True})
    message: Any = found.choices[0].message
    assert message.content
    assert message.reasoning_content
    assert found.usage is not None
    assert found.usage.completion_tokens_details is not None
    assert found.usage.completion_tokens_details.reasoning_tokens == 5
    none = {name: -1 if isinstance(value, int) else value for name, value in fields.items()}
    if none != fields:
        unlimited: Any = thinking.chat.completions.create(**asked, extra_body={**none, "ignore_eos": True})
        assert not unlimited.choices[0].message.content


def test_a_stream_that_hides_it_lives_while_the_model_thinks(serve: Serve, loopback: Loopback) -> None:
    loopback.script.append("think 8")
    client = serve(LLM_BACKEND="openai", KEEPALIVE_INTERVAL="0.05")
    body = {"messages": HI, "stream": True, "include_reasoning": False}
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        lines = list(answer.iter_lines())
    assert sum(line.startswith(":") for line in lines) >= 3
    assert "thought" not in "".join(lines)
    first = next(at for at, line in enumerate(lines) if "fine" in line)
    assert any(line.startswith(":") for line in lines[:first])


def test_a_stream_that_tells_it_needs_no_comments(serve: Serve, loopback: Loopback) -> None:
    loopback.script.append("think 8")
    client = serve(LLM_BACKEND="openai", KEEPALIVE_INTERVAL="30")
    with client.stream("POST", "/v1/chat/completions", json={"messages": HI, "stream": True}) as answer:
        lines = list(answer.iter_lines())
    assert sum("reasoning_content" in line for line in lines) > 1
    assert sum(line.startswith(":") for line in lines) <= 1, "the first word may take its time"
