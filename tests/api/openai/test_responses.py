"""The basic text form of responses, as OpenAI's own client and bare HTTP ask for it."""

from typing import Any

import pytest
from openai import BadRequestError

from tests.api.conftest import Serve, idle, wait
from tests.api.openai.conftest import Talk
from tests.loopback import Loopback


def test_a_text_is_answered(talk: Talk) -> None:
    answer = talk().responses.create(
        model="default",
        input="hi, how are you?",
        max_output_tokens=40,
        temperature=0,
        store=True,
        metadata={"a": "b"},
    )
    assert (answer.status, answer.model, answer.error) == ("completed", "default", None)
    assert answer.output_text
    assert (answer.temperature, answer.max_output_tokens, answer.metadata) == (0, 40, {"a": "b"})
    assert answer.to_dict()["store"] is True
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_a_chat_reaches_the_backend_as_it_is(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai", SYSTEM_PROMPT="Be rude.")
    first = client.responses.create(model="default", input="one", instructions="Be kind.")
    said: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "one"}]},
        *[item.to_dict() for item in first.output],
        {"type": "message", "role": "user", "content": "two"},
    ]
    answer = client.responses.create(model="default", input=said, temperature=0.5, top_p=0.5, max_output_tokens=9)
    assert answer.output_text.strip() == loopback.reply
    assert [m["role"] for m in loopback.requests[0]["messages"]] == ["system", "user"]
    sent = loopback.requests[1]
    assert [m["role"] for m in sent["messages"]] == ["developer", "user", "assistant", "user"]
    assert sent["messages"][2]["content"] == first.output_text
    assert (sent["temperature"], sent["top_p"], sent["max_tokens"]) == (0.5, 0.5, 9)


def test_the_events_of_a_stream(talk: Talk) -> None:
    client = talk()
    whole = client.responses.create(model="default", input="hi", temperature=0)
    events = list(client.responses.create(model="default", input="hi", temperature=0, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    last = events[-1]
    assert last.type == "response.completed"
    assert text == last.response.output_text == whole.output_text
    assert last.response.usage == whole.usage


def test_the_clients_own_helper_gathers_a_stream(talk: Talk) -> None:
    with talk().responses.stream(model="default", input="hi", max_output_tokens=20, temperature=0) as stream:
        told = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert told == stream.get_final_response().output_text


@pytest.mark.parametrize("stream", [False, True])
def test_a_text_that_was_cut_is_incomplete(talk: Talk, stream: bool) -> None:
    found: Any = talk().responses.create(model="default", input="hi", max_output_tokens=2, stream=stream)
    if stream:
        *_, last = found
        assert last.type == "response.incomplete"
        found = last.response
    assert found.status == "incomplete"
    assert found.incomplete_details.reason == "max_output_tokens"
    assert found.output[0].status == "incomplete"


def test_a_failure_in_the_middle_ends_the_stream(talk: Talk, loopback: Loopback) -> None:
    loopback.script.append("cut")
    events = list(talk(LLM_BACKEND="openai").responses.create(model="default", input="hi", stream=True))
    last = events[-1]
    assert last.type == "response.failed"
    assert last.response.status == "failed"
    assert last.response.error is not None
    assert last.response.error.code == "server_error"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    wait(lambda: idle("openai"))


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_word_has_its_status(talk: Talk, loopback: Loopback, stream: bool) -> None:
    loopback.script.append("overflow")
    with pytest.raises(BadRequestError) as refused:
        talk(LLM_BACKEND="openai").responses.create(model="default", input="hi", stream=stream)
    assert refused.value.code == "context_length_exceeded"


REFUSED: dict[str, Any] = {
    "conversation": "conv_1",
    "background": True,
    "tools": [{"type": "web_search"}],
    "tool_choice": "required",
    "include": ["message.output_text.logprobs"],
    "prompt": {"id": "p"},
    "context_management": [{"type": "compaction"}],
    "top_logprobs": 1,
}


def test_what_is_not_done_here_is_refused_by_name(serve: Serve) -> None:
    client = serve()
    for name, value in REFUSED.items():
        answer = client.post("/v1/responses", json={"input": "hi", name: value})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", name)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"input": ""}, "invalid_value", "input"),
    ({"input": []}, "invalid_value", "input"),
    ({}, "invalid_value", "input"),
    ({"input": "hi", "truncation": "middle"}, "invalid_value", "truncation"),
    ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "invalid_value", "input"),
    ({"input": [{"type": "item_reference"}]}, "invalid_value", "input.0.id"),
    ({"input": [{"role": "user"}]}, "invalid_value", "input.0.content"),
    ({"input": [{"role": "tool", "content": "x"}]}, "invalid_value", "input.0.role"),
    ({"input": "hi", "max_output_tokens": 0}, "invalid_value", "max_output_tokens"),
    ({"input": [{"type": "function_call_output", "call_id": "x"}]}, "invalid_value", "input.0.output"),
    ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "unsupported_parameter", "input.0.content"),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
        "invalid_value",
        "input.0.content.0.image_url",
    ),
    ({"input": "hi", "text": {"format": {"type": "yaml"}}}, "unsupported_parameter", "response_format"),
]


def test_wrong_requests_are_told_what_is_wrong(serve: Serve) -> None:
    client = serve()
    for body, code, param in WRONG:
        answer = client.post("/v1/responses", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, code, param), error


def test_what_asks_for_nothing_is_taken(serve: Serve) -> None:
    body = {
        "input": "hi",
        "max_output_tokens": 1,
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "tools": [],
        "tool_choice": "auto",
        "truncation": "disabled",
        "reasoning": {"effort": "none", "summary": "auto"},
        "include": [],
        "store": True,
        "parallel_tool_calls": True,
        "background": False,
        "service_tier": "auto",
        "previous_response_id": None,
    }
    assert serve().post("/v1/responses", json=body).status_code == 200
