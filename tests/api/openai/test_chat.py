"""Chat, as OpenAI's own client and bare HTTP ask for it."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from openai import APIError, BadRequestError, RateLimitError

from tests.api.conftest import Serve, idle, wait
from tests.api.openai.conftest import HI, Talk
from tests.loopback import Loopback


def test_a_whole_answer(talk: Talk) -> None:
    client = talk()
    answer = client.chat.completions.create(model="default", messages=HI, max_tokens=30, seed=1)
    [choice] = answer.choices
    assert (answer.model, answer.object) == ("default", "chat.completion")
    assert str(answer.system_fingerprint).startswith("llamacpp-")
    assert (choice.message.role, choice.index) == ("assistant", 0)
    assert choice.message.content
    assert choice.finish_reason in {"stop", "length"}
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 30
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_streamed_pieces_are_the_whole_answer(talk: Talk) -> None:
    client = talk()
    whole = client.chat.completions.create(model="default", messages=HI, max_tokens=30, seed=2)
    chunks = list(
        client.chat.completions.create(
            model="default", messages=HI, max_tokens=30, seed=2, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == [
        whole.choices[0].finish_reason
    ]
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_lines_of_a_stream(serve: Serve) -> None:
    body = {"messages": HI, "max_tokens": 5, "stream": True}
    answer = serve().post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *events, done, end = answer.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    rows = [json.loads(line.removeprefix("data: ")) for line in events]
    assert all("usage" not in row for row in rows), "nobody asked for it"
    assert {row["object"] for row in rows} == {"chat.completion.chunk"}


def test_several_answers_take_seeds_in_a_row(talk: Talk) -> None:
    client = talk()
    one = [client.chat.completions.create(model="default", messages=HI, max_tokens=20, seed=seed) for seed in (5, 6, 7)]
    wanted = [answer.choices[0].message.content for answer in one]
    three = client.chat.completions.create(model="default", messages=HI, max_tokens=20, seed=5, n=3)
    assert [choice.message.content for choice in three.choices] == wanted
    assert three.usage is not None
    spent = [answer.usage for answer in one if answer.usage is not None]
    assert three.usage.prompt_tokens == spent[0].prompt_tokens
    assert three.usage.completion_tokens == sum(usage.completion_tokens for usage in spent)
    texts = ["", "", ""]
    for chunk in client.chat.completions.create(model="default", messages=HI, max_tokens=20, seed=5, n=3, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == wanted
    assert len(set(wanted)) > 1


def test_the_servers_own_seed_gives_several_answers_too(talk: Talk) -> None:
    answer = talk(SEED="5").chat.completions.create(model="default", messages=HI, max_tokens=20, n=3)
    assert len({choice.message.content for choice in answer.choices}) > 1


def test_what_is_sampled_reaches_the_backend_and_nothing_is_added(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai", SYSTEM_PROMPT="Be rude.")
    client.chat.completions.create(
        model="openai",
        messages=[
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        ],
        temperature=0.5,
        top_p=0.75,
        frequency_penalty=0.25,
        presence_penalty=-0.5,
        seed=7,
        stop=["END", "STOP"],
        max_completion_tokens=9,
        max_tokens=90,
        extra_body={"top_k": 5, "repetition_penalty": 1.25, "repeat_last_n": 64},
    )
    [sent] = loopback.requests
    assert sent["messages"] == [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
    ]
    wanted = {
        "temperature": 0.5,
        "top_p": 0.75,
        "frequency_penalty": 0.25,
        "presence_penalty": -0.5,
        "seed": 7,
        "stop": ["END", "STOP"],
        "max_tokens": 9,
        "top_k": 5,
        "repetition_penalty": 1.25,
        "repeat_last_n": 64,
    }
    assert {name: sent.get(name) for name in wanted} == wanted


def test_a_stop_string_ends_the_reply_and_is_no_part_of_it(talk: Talk) -> None:
    client = talk()
    whole = client.chat.completions.create(model="default", messages=HI, max_tokens=30, temperature=0)
    text = str(whole.choices[0].message.content)
    word = text.split()[2]
    short = client.chat.completions.create(model="default", messages=HI, max_tokens=30, temperature=0, stop=word)
    assert short.choices[0].message.content == text.partition(word)[0]
    assert short.choices[0].finish_reason == "stop"


def test_the_end_is_told(talk: Talk) -> None:
    answer = talk().chat.completions.create(model="default", messages=HI, max_tokens=2, seed=1)
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize("limit", [{}, {"max_tokens": -1}, {"max_completion_tokens": -1}, {"max_tokens": None}])
def test_a_reply_whose_length_nobody_set_may_fill_the_window(talk: Talk, limit: dict[str, Any]) -> None:
    said: Any = [{"role": "user", "content": "very " * 700}]
    extra = {**limit, "ignore_eos": True}
    answer = talk().chat.completions.create(model="default", messages=said, seed=1, extra_body=extra)
    assert answer.usage is not None
    assert answer.usage.total_tokens == 1024
    assert answer.choices[0].finish_reason == "length"


def test_who_leaves_a_reply_without_a_limit_ends_it(talk: Talk) -> None:
    client = talk()
    for _ in client.chat.completions.create(model="default", messages=HI, stream=True, extra_body={"ignore_eos": True}):
        break
    client.close()
    wait(idle)


def test_the_operators_longest_reply_holds_where_the_request_names_none(talk: Talk, fresh_backends: None) -> None:
    client = talk(MAX_TOKENS="5")
    asked: Any = {"model": "default", "messages": HI, "seed": 1, "extra_body": {"ignore_eos": True}}
    lengths = []
    for limit in (None, -1, 3, 9):
        usage = client.chat.completions.create(**asked, max_tokens=limit).usage
        lengths.append(usage.completion_tokens if usage else 0)
    assert lengths == [5, 5, 3, 9]


def test_a_server_is_sent_no_number_of_ours(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai")
    client.chat.completions.create(model="default", messages=HI)
    client.chat.completions.create(model="default", messages=HI, max_tokens=-1)
    client.responses.create(model="default", input="hi", max_output_tokens=-1)
    client.completions.create(model="default", prompt="hi")
    assert [set(sent) & {"max_tokens", "max_completion_tokens"} for sent in loopback.requests] == [set()] * 4


def test_a_last_message_of_the_assistant_is_gone_on_with(talk: Talk) -> None:
    client = talk()

    def said(messages: Any, longest: int) -> str:
        answer = client.chat.completions.create(model="default", messages=messages, temperature=0, max_tokens=longest)
        return str(answer.choices[0].message.content)

    begun = said(HI, 4)
    rest = said([*HI, {"role": "assistant", "content": begun}], 30)
    assert begun + rest == said(HI, 30)


WRONG: list[tuple[Any, str, str | None]] = [
    ({"messages": HI, "temperature": "hot"}, "invalid_value", "temperature"),
    ({"messages": HI, "temperature": 3}, "invalid_value", "temperature"),
    ({"messages": HI, "max_tokens": "5"}, "invalid_value", "max_tokens"),
    ({"messages": HI, "max_tokens": 0}, "invalid_value", "max_tokens"),
    ({"messages": HI, "n": 9}, "invalid_value", "n"),
    ({"messages": HI, "stream": "yes"}, "invalid_value", "stream"),
    ({"messages": HI, "stop": 5}, "invalid_value", "stop"),
    ({"messages": HI, "stop": ["a", 5]}, "invalid_value", "stop.1"),
    ({"messages": HI, "max_completion_tokens": -2}, "invalid_value", "max_completion_tokens"),
    ({"messages": HI, "model": 5}, "invalid_value", "model"),
    ({}, "invalid_value", "messages"),
    ({"messages": []}, "invalid_value", "messages"),
    ({"messages": "hi"}, "invalid_value", "messages"),
    ({"messages": [{"role": "user"}]}, "invalid_value", "messages.0.content"),
    ({"messages": [{"role": "user", "content": None}]}, "invalid_value", "messages.0.content"),
    ({"messages": [{"role": "user", "content": 5}]}, "invalid_value", "messages.0.content"),
    ({"messages": [{"role": "assistant", "content": 5}]}, "invalid_value", "messages.0.content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "invalid_value", "messages.0.tool_call_id"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "invalid_value", "messages.0.content.0.text"),
    (
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        "unsupported_parameter",
        "messages.0.content",
    ),
    (
        {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "unsupported_parameter",
        "messages.0.content",
    ),
    (
        {"messages": [{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]}]},
        "invalid_value",
        "messages.0.tool_calls.0.function",
    ),
    ([], "invalid_value", None),
]


def test_wrong_requests_are_told_what_is_wrong(serve: Serve) -> None:
    client = serve()
    for body, code, param in WRONG:
        answer = client.post("/v1/chat/completions", json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, code, param), error


def test_bodies_that_are_none(serve: Serve) -> None:
    client = serve(MAX_BODY_BYTES="1000")
    bodies = [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b" " * 1001, 413, "body_too_large"),
    ]
    for content, status, code in bodies:
        for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
            answer = client.post(path, content=content)
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("stream", [False, True])
def test_what_does_not_fit_is_refused_and_not_cut(talk: Talk, stream: bool) -> None:
    long: Any = [*HI, {"role": "assistant", "content": "word " * 1100}, *HI]
    with pytest.raises(BadRequestError, match="window") as refused:
        talk().chat.completions.create(model="default", messages=long, stream=stream)
    assert refused.value.code == "context_length_exceeded"
    wait(idle)


FAILURES = [
    ("overflow", 400, "context_length_exceeded"),
    ("429 60", 429, "rate_limit_exceeded"),
    ("html", 502, "backend_connection"),
    ("close at once", 502, "backend_connection"),
]


@pytest.mark.parametrize(("todo", "status", "code"), FAILURES, ids=[todo for todo, _, _ in FAILURES])
@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_before_the_first_word_has_its_status(
    talk: Talk, loopback: Loopback, todo: str, status: int, code: str, stream: bool
) -> None:
    loopback.script.extend([todo] * 3)
    client = talk(LLM_BACKEND="openai", KEEPALIVE_INTERVAL="60")  # a stream begins late, however slow the machine is
    with pytest.raises(APIError) as failed:
        client.chat.completions.create(model="default", messages=HI, stream=stream)
    assert (getattr(failed.value, "status_code", None), failed.value.code) == (status, code)
    assert idle("openai")


def test_no_other_backend_answers_for_the_one_that_was_named(talk: Talk, loopback: Loopback) -> None:
    loopback.script.append("overflow")
    client = talk(LLM_BACKEND="openai", LLM_FALLBACK="llamacpp")
    with pytest.raises(BadRequestError):
        client.chat.completions.create(model="openai", messages=HI)
    loopback.script.append("429 60")
    with pytest.raises(RateLimitError) as refused:
        client.chat.completions.create(model="openai", messages=HI)
    assert refused.value.response.headers["retry-after"] == "60"
    loopback.script.append(f"429 {format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)}")
    with pytest.raises(RateLimitError) as refused:
        client.chat.completions.create(model="openai", messages=HI)
    assert 50 <= int(refused.value.response.headers["retry-after"]) <= 60


def gathered(stream: Any) -> tuple[str, APIError]:
    """The text of a stream that fails, and how it does."""
    text = ""
    try:
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    except APIError as error:
        return text, error
    raise AssertionError("the stream did not fail")


@pytest.mark.parametrize("todo", ["cut", "close"])
def test_a_failure_in_the_middle_is_the_last_event(talk: Talk, loopback: Loopback, todo: str) -> None:
    loopback.script.append(todo)
    client = talk(LLM_BACKEND="openai")
    text, error = gathered(client.chat.completions.create(model="default", messages=HI, stream=True))
    assert text == "It is a "
    assert error.code == "backend_connection"
    wait(lambda: idle("openai"))


def test_an_error_is_the_end_of_its_stream(serve: Serve, loopback: Loopback) -> None:
    loopback.script.append("cut")
    answer = serve(LLM_BACKEND="openai").post("/v1/chat/completions", json={"messages": HI, "stream": True})
    assert answer.status_code == 200
    last = json.loads(answer.text.rstrip().rpartition("\n\n")[2].removeprefix("data: "))
    assert (last["error"]["type"], last["error"]["code"]) == ("server_error", "backend_connection")


def test_tokens_are_estimated_where_the_server_tells_none(talk: Talk, loopback: Loopback) -> None:
    loopback.read = None
    answer = talk(LLM_BACKEND="openai").chat.completions.create(model="default", messages=HI)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0


def test_a_reply_that_takes_too_long_is_ended(talk: Talk, loopback: Loopback) -> None:
    loopback.script.extend(["slow", "slow"])
    client = talk(LLM_BACKEND="openai", REPLY_TIMEOUT="0.5")
    with pytest.raises(APIError, match="REPLY_TIMEOUT") as late:
        client.chat.completions.create(model="default", messages=HI)
    assert late.value.code == "timeout"
    words, error = gathered(client.chat.completions.create(model="default", messages=HI, stream=True))
    assert error.code == "timeout"
    assert words.startswith("word0 word1")
    wait(lambda: idle("openai") and len(loopback.gone) == 2)
    assert loopback.sent < 390, "of 400 words"
