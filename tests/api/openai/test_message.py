"""What clients send in messages: their own second turn, fields of theirs, null, and an assistant that said nothing."""

from typing import Any

import pytest

from tests.api.conftest import Serve
from tests.api.node import run_node
from tests.api.openai.conftest import HI, Talk
from tests.loopback import Loopback


def test_the_second_turn_after_the_clients_own_stream_helper(talk: Talk) -> None:
    client, said = talk(), list(HI)
    for _ in range(2):
        with client.chat.completions.stream(model="default", messages=said, temperature=0) as stream:
            for _event in stream:
                pass
            message = stream.get_final_completion().choices[0].message
        assert "parsed" in message.to_dict()
        assert message.content
        said += [message, {"role": "user", "content": "And you?"}]
    said[1] = said[1].to_dict()
    answer = client.chat.completions.create(model="default", messages=said)
    assert answer.choices[0].finish_reason == "stop"


def test_the_second_turn_after_nodes_stream_helper(serve: Serve) -> None:
    first, second = run_node("openai/turns.mjs", serve())
    assert first
    assert second


OWN: dict[str, Any] = {
    "parsed": {"a": 1},
    "refusal": None,
    "reasoning_content": "Let me see.",
    "reasoning": "Let me see.",
    "reasoning_details": [{"type": "reasoning.text", "text": "x"}],
    "thinking_blocks": [{"type": "thinking", "thinking": "x", "signature": ""}],
    "provider_specific_fields": {"citations": None},
    "id": "msg_1",
    "cache_control": {"type": "ephemeral"},
    "name": "Ada",
    "annotations": [{"type": "url_citation"}],
    "audio": None,
    "function_call": None,
    "tool_calls": [],
    "status": "completed",
    "phase": "final_answer",
}


@pytest.mark.parametrize("value", ["given", None, 5])
@pytest.mark.parametrize("name", OWN)
def test_fields_of_the_clients_own_change_nothing(serve: Serve, loopback: Loopback, name: str, value: Any) -> None:
    field = OWN[name] if value == "given" or name in {"audio", "function_call", "tool_calls"} else value
    said = [{"role": role, "content": "hi", name: field} for role in ("system", "user", "assistant", "user")]
    answer = serve(LLM_BACKEND="openai").post("/v1/chat/completions", json={"messages": said})
    assert answer.status_code == 200, answer.text
    assert "x-ignored-fields" not in answer.headers
    [sent] = loopback.requests
    kept = {"name": "Ada"} if (name, value) == ("name", "given") else {}
    assert sent["messages"] == [{"role": row["role"], "content": "hi", **kept} for row in said]


def test_fields_that_nobody_knows_are_named_once(serve: Serve) -> None:
    said = [{"role": "user", "content": "hi", "colour": "red", "size": None}] * 3
    answer = serve().post("/v1/chat/completions", json={"messages": said, "max_tokens": 1})
    assert (answer.status_code, answer.headers["x-ignored-fields"]) == (200, "messages.colour")


@pytest.mark.parametrize("fields", [{"content": None}, {}, {"content": ""}, {"content": []}])
def test_an_assistant_may_have_said_nothing(serve: Serve, loopback: Loopback, fields: dict[str, Any]) -> None:
    said = [*HI, {"role": "assistant", **fields}, *HI, {"role": "assistant", **fields}]
    answer = serve(LLM_BACKEND="openai").post("/v1/chat/completions", json={"messages": said})
    assert answer.status_code == 200, answer.text
    assert [row["role"] for row in loopback.requests[0]["messages"]] == ["user", "assistant", "user"]
    assert not loopback.requests[0]["messages"][1]["content"]


def test_a_local_model_takes_an_assistant_that_said_nothing(serve: Serve) -> None:
    said = [*HI, {"role": "assistant", "content": None}, *HI]
    answer = serve().post("/v1/chat/completions", json={"messages": said, "max_tokens": 3})
    assert answer.json()["choices"][0]["message"]["content"]


def test_what_an_assistant_thought_is_not_what_it_said(serve: Serve, loopback: Loopback) -> None:
    thought: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
    ]
    client = serve(LLM_BACKEND="openai")
    said = [*HI, {"role": "assistant", "content": [*thought, {"type": "text", "text": "Yes."}]}, *HI]
    assert client.post("/v1/chat/completions", json={"messages": said}).status_code == 200
    assert client.post("/v1/responses", json={"input": said}).status_code == 200
    first, second = (row["messages"][1]["content"] for row in loopback.requests)
    assert (first, second) == ([{"type": "text", "text": "Yes."}], "Yes.")


def test_a_refusal_is_what_the_assistant_said(serve: Serve, loopback: Loopback) -> None:
    part = [{"type": "refusal", "refusal": "No."}]
    said = [
        *HI,
        {"role": "assistant", "content": None, "refusal": "I will not."},
        *HI,
        {"role": "assistant", "content": part},
        *HI,
    ]
    serve(LLM_BACKEND="openai").post("/v1/chat/completions", json={"messages": said})
    sent = [row["content"] for row in loopback.requests[0]["messages"] if row["role"] == "assistant"]
    assert sent == ["I will not.", [{"type": "text", "text": "No."}]]
