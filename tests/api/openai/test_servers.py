"""The API over servers that answer oddly: what its clients get is OpenAI's own form."""

from typing import Any

import pytest
from openai import BadRequestError, InternalServerError, OpenAI

from tests.api.conftest import Serve
from tests.byte_server import STOP, TEXT, ByteServer, chunk, delta, reply, stream, whole, words

USAGE = {"prompt_tokens": 1965, "completion_tokens": 5, "total_tokens": 1970}
HI: Any = [{"role": "user", "content": "hi"}]


@pytest.fixture
def client(byte_server: ByteServer, serve: Serve) -> OpenAI:
    """The SDK against our API, which answers from the scripted server."""
    address = serve(LLM_BACKEND="openai").base_url
    return OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)


ANSWERS = {
    "usage in each chunk": stream(*words(usage=USAGE), chunk(STOP, usage=USAGE), chunk(usage=USAGE)),
    "no reason for the end": stream(*words(), chunk(usage=USAGE)),
    "two reasons": stream(*words(), chunk(STOP), chunk(STOP, usage=USAGE)),
    "JSON": reply(whole(content=TEXT)),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_whole_and_streamed(byte_server: ByteServer, client: OpenAI, answer: list[bytes]) -> None:
    byte_server.answer(answer)
    found = client.chat.completions.create(model="default", messages=HI)
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == (TEXT, "stop")
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.total_tokens) == (1965, 5, 1970)
    rows = list(client.chat.completions.create(
        model="default", messages=HI, stream=True, stream_options={"include_usage": True}
    ))  # fmt: skip
    assert "".join(row.choices[0].delta.content or "" for row in rows if row.choices) == TEXT
    assert [row.choices[0].finish_reason for row in rows if row.choices and row.choices[0].finish_reason] == ["stop"]
    assert [row.usage.total_tokens for row in rows if row.usage] == [1970]
    assert "estimated" not in found.usage.model_dump()
    assert len(byte_server.requests) == 2


def test_tokens_that_are_not_told_are_marked_as_an_estimate(byte_server: ByteServer, client: OpenAI) -> None:
    byte_server.answer(stream(*words(usage="N/A"), chunk(STOP, usage={})))
    whole = client.chat.completions.create(model="default", messages=HI)
    streamed = list(client.chat.completions.create(
        model="default", messages=HI, stream=True, stream_options={"include_usage": True}
    ))  # fmt: skip
    text = client.completions.create(model="default", prompt="hi")
    response = client.responses.create(model="default", input="hi")
    told: list[Any] = [whole.usage, streamed[-1].usage, text.usage]
    assert [(usage.completion_tokens, usage.estimated) for usage in told] == [(5, True)] * 3
    assert response.usage is not None
    assert (response.usage.output_tokens, response.usage.model_dump()["estimated"]) == (5, True)


def test_thinking_until_length_is_an_empty_reply_that_says_length(byte_server: ByteServer, client: OpenAI) -> None:
    byte_server.answer(
        stream(delta(reasoning_content="Hm"), chunk({"delta": {}, "finish_reason": "length"}, usage=USAGE))
    )
    found = client.chat.completions.create(model="default", messages=HI)
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == ("", "length")
    assert len(byte_server.requests) == 1


def test_failures_keep_the_words_of_the_server(byte_server: ByteServer, client: OpenAI) -> None:
    byte_server.answer(stream({"object": "error", "message": "GPU is out of memory", "code": 500}))
    with pytest.raises(InternalServerError, match="GPU is out of memory"):
        client.chat.completions.create(model="default", messages=HI)
    byte_server.answer(reply({"detail": [{"loc": ["body", "top_k"], "msg": "extra fields not permitted"}]}, 422))
    with pytest.raises(BadRequestError, match=r"body\.top_k: extra fields not permitted"):
        client.chat.completions.create(model="default", messages=HI)
    call = {"index": 0, "id": "a", "function": {"name": "search", "arguments": "{}"}}
    byte_server.answer(stream(delta(tool_calls=[call]), chunk({"delta": {}, "finish_reason": "tool_calls"})))
    with pytest.raises(InternalServerError, match=r"asked for a tool \(search\)"):
        client.chat.completions.create(model="default", messages=HI)
