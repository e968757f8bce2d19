"""Texts gone on with, as OpenAI's own client and bare HTTP ask for it."""

from typing import Any

import pytest
from openai import BadRequestError

from tests.api.conftest import Serve, idle, wait
from tests.api.openai.conftest import Talk
from tests.loopback import Loopback


def test_a_text_is_gone_on_with(talk: Talk) -> None:
    answer = talk().completions.create(model="default", prompt="Data Science is", max_tokens=10, seed=1)
    assert (answer.object, answer.model) == ("text_completion", "default")
    assert answer.choices[0].text
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 10


def test_several_prompts_with_several_answers_keep_their_order(talk: Talk) -> None:
    client = talk()
    prompts = ["Data Science is", "I like to"]
    wanted = [
        client.completions.create(model="default", prompt=prompt, max_tokens=8, seed=seed).choices[0].text
        for prompt in prompts
        for seed in (3, 4)
    ]
    whole = client.completions.create(model="default", prompt=prompts, max_tokens=8, seed=3, n=2)
    assert [(choice.index, choice.text) for choice in whole.choices] == list(enumerate(wanted))
    chunks = list(
        client.completions.create(
            model="default",
            prompt=prompts,
            max_tokens=8,
            seed=3,
            n=2,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    texts = [""] * 4
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert texts == wanted
    assert chunks[-1].usage == whole.usage


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_a_word_is_one(talk: Talk, stream: bool) -> None:
    client = talk()
    asked: dict[str, Any] = {"model": "llamacpp", "prompt": "= History =", "temperature": 0}
    first: Any = client.completions.create(**asked, max_tokens=1)
    answer: Any = client.completions.create(**asked, stop=[first.choices[0].text], stream=stream)
    choices = [chunk.choices[0] for chunk in answer] if stream else answer.choices
    assert [(choice.text, choice.finish_reason) for choice in choices] == [("", "stop")]


def test_the_text_reaches_the_backend_as_it_is(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai", SYSTEM_PROMPT="Be rude.")
    answer = client.completions.create(model="default", prompt="Once", max_tokens=3)
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == (" upon a time", "length")
    assert loopback.requests[0]["prompt"] == "Once"
    assert "messages" not in loopback.requests[0]


REFUSED: dict[str, Any] = {
    "best_of": 2,
    "echo": True,
    "logprobs": 1,
    "suffix": "x",
    "logit_bias": {"5": 1},
    "prompt": [1, 2],
}


def test_what_no_model_here_does_is_refused_by_name(serve: Serve) -> None:
    client = serve()
    for name, value in REFUSED.items():
        answer = client.post("/v1/completions", json={"prompt": "hi", name: value})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", name)


def test_what_asks_for_nothing_is_taken(serve: Serve) -> None:
    body = {
        "prompt": "hi",
        "max_tokens": 1,
        "best_of": 1,
        "echo": False,
        "logprobs": None,
        "suffix": None,
        "user": "me",
    }
    assert serve().post("/v1/completions", json=body).status_code == 200


def test_what_is_no_text_is_refused(serve: Serve) -> None:
    client = serve()
    for prompt in ("", [], ["a", ""], None, {"a": 1}, ["a"] * 65):
        answer = client.post("/v1/completions", json={"prompt": prompt})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "invalid_value")
        assert error["param"].startswith("prompt")


def test_more_replies_than_the_server_ever_takes_are_refused(talk: Talk) -> None:
    with pytest.raises(BadRequestError, match="6 replies") as refused:
        talk(MAX_QUEUE="5").completions.create(model="default", prompt=["a", "b"], n=3)
    assert refused.value.code == "too_many_replies"


def test_what_does_not_fit_is_refused(talk: Talk) -> None:
    with pytest.raises(BadRequestError) as refused:
        talk().completions.create(model="default", prompt=["hi", "word " * 1100])
    assert refused.value.code == "context_length_exceeded"
    wait(idle)
