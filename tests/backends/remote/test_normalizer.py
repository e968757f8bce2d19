"""Whatever JSON stands wherever in an answer: it is a reply in OpenAI's form, or one line that says what is wrong."""

import copy
import json
import random
from typing import Any

import httpx2
import openai

from backends.remote.normalizer import BodyNormalizer, failure_body
from tests.byte_server import STOP, chunk, delta, row_bytes, whole

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2.5, 10**30, float("nan"), "", "x", "stop", "error", "null", "\ud83d", "[DONE]"),
    *([], {}, [None], ["x"], [[]], {"a": 1}, {"type": ["x"]}, {"type": {}}, {"text": None}, {"error": {}}),
    *('{"a":', "<html><p>x"),
]  # fmt: skip
FIELDS = [
    *(
        "choices",
        "delta",
        "message",
        "content",
        "text",
        "finish_reason",
        "index",
        "usage",
        "prompt_tokens",
        "total_tokens",
    ),
    *(
        "prompt_tokens_details",
        "error",
        "detail",
        "errors",
        "type",
        "object",
        "status",
        "code",
        "model",
        "id",
        "tool_calls",
    ),
    *(
        "function",
        "function_call",
        "name",
        "arguments",
        "reasoning",
        "thinking",
        "refusal",
        "logprobs",
        "x_groq",
        "loc",
    ),
    *("base_resp", "metadata", "raw", "msg", "event", "success", "system_fingerprint", "summary", "value", "title"),
]
ROWS = [
    *(chunk("One"), chunk(STOP, usage={"prompt_tokens": 3, "completion_tokens": 3}), delta(content=[{"type": "text"}])),
    *(whole(content="One"), {"error": {"message": "no"}}, {"detail": [{"loc": ["a"], "msg": "no"}]}),
    delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]),
]


def anything(rng: random.Random, depth: int = 0) -> Any:
    """A value with fields that mean something."""
    kind = rng.random()
    if kind < 0.5 or depth > 4:
        return copy.deepcopy(rng.choice(VALUES))
    if kind < 0.6:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(3))]
    return {rng.choice(FIELDS): anything(rng, depth + 1) for _ in range(rng.randrange(5))}


def changed(value: Any, rng: random.Random) -> Any:
    """The value with something else in one place, or with a field more."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice([*value, *rng.sample(FIELDS, 1)])
        return {**value, name: changed(value.get(name), rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    return anything(rng)


def answers(seed: int, count: int) -> list[bytes]:
    rng, made = random.Random(seed), []
    for _ in range(count):
        rows = [copy.deepcopy(rng.choice(ROWS)) for _ in range(rng.randrange(1, 4))]
        for _ in range(rng.randrange(4)):
            at = rng.randrange(len(rows))
            rows[at] = changed(rows[at], rng)
        begins = [rng.choice(["data: ", "data: ", "", "event: error\ndata: "]) for _ in rows]
        lines = [begin + json.dumps(row) + rng.choice(["\n\n", "\n"]) for begin, row in zip(begins, rows, strict=True)]
        made.append("".join([*lines, *rng.choice([[], ["data: [DONE]\n\n"]])]).encode())
    return made


def response(path: str, status: int = 200, body: bytes = b"") -> httpx2.Response:
    return httpx2.Response(status, request=httpx2.Request("POST", f"http://x/v1{path}"), content=body)


def test_any_stream_is_a_reply_or_one_line() -> None:
    replies, failures = 0, list[str]()
    for number, data in enumerate(answers(seed=1, count=3000)):
        body = BodyNormalizer(response("/chat/completions" if number % 2 else "/completions"))
        try:
            sent = b"".join([*body.stream(data[:50]), *body.stream(data[50:]), *body.end_stream()]).decode()
        except openai.APIError as error:
            failures.append(str(error))
            continue
        *rows, done, rest = sent.split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        choices = [json.loads(row.removeprefix("data: "))["choices"][0] for row in rows]
        assert [isinstance(choice["finish_reason"], str) for choice in choices] == [False] * (len(rows) - 1) + [True]
        assert all(
            isinstance(choice.get("text", choice.get("delta", {}).get("content", "")), str) for choice in choices
        )
        replies += 1
    assert min(replies, len(failures)) > 500, "both happen"
    assert all(text.strip() and "\n" not in text for text in failures)


def test_any_whole_answer_is_a_reply_or_a_failure_with_its_status() -> None:
    statuses = set()
    for data in answers(seed=2, count=2000):
        status, body = BodyNormalizer(response("/chat/completions")).whole(data)
        found = json.loads(body)
        if status == 200:
            assert isinstance(found["choices"][0]["message"]["content"], str)
        else:
            assert "\n" not in found["error"]["message"]
            assert found["error"]["message"].strip()
        statuses.add(status)
        assert json.loads(failure_body(response("/chat/completions", 400, data)))["error"]["message"].strip()
    assert {200, 502} <= statuses


def test_events_are_those_of_openai() -> None:
    body = BodyNormalizer(response("/chat/completions"))
    rows = [
        delta(role="bot", content=[{"type": "text", "text": "One"}]),
        chunk(STOP),
        chunk(usage={"prompt_tokens": 3}),
    ]
    sent = [event for row in rows for event in body.stream(row_bytes(row))]
    assert [json.loads(event[6:])["choices"][0]["delta"] for event in sent] == [
        {"role": "assistant", "content": "One"}, {"role": "assistant", "content": ""}
    ]  # fmt: skip
    [end] = body.stream(b"data: [DONE]\n\n")
    assert end.endswith(b"\n\ndata: [DONE]\n\n")
    last = json.loads(end[6:].split(b"\n")[0])
    assert (last["model"], last["choices"][0]["finish_reason"]) == ("m-1", "stop")
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}
    assert list(body.stream(b"data: {}\n\n")) == list(body.end_stream()) == []
