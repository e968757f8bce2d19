"""Replies of a form over the API: OpenAI's own helpers, and the fields of vLLM, SGLang and llama-server."""

import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from langchain_openai import ChatOpenAI
from openai import BadRequestError
from pydantic import BaseModel, Field

from tests.api.conftest import Serve
from tests.api.openai.conftest import HI, Talk
from tests.loopback import Loopback


class Pet(BaseModel):
    """An animal."""

    name: str = Field(max_length=12)
    legs: int = Field(ge=0, le=8)


SCHEMA = {**Pet.model_json_schema(), "additionalProperties": False}


def test_the_clients_own_helpers_get_objects(talk: Talk) -> None:
    """OpenAI's client forbids what it does not know in a schema, so the bounds stay out of it."""

    class Mood(BaseModel):
        happy: bool
        tired: bool

    client = talk()
    chat = client.chat.completions.parse(model="default", messages=HI, response_format=Mood, max_tokens=40)
    assert isinstance(chat.choices[0].message.parsed, Mood)
    assert chat.choices[0].finish_reason == "stop"
    response = client.responses.parse(model="default", input="hi", text_format=Mood, max_output_tokens=40)
    assert isinstance(response.output_parsed, Mood)
    assert response.to_dict()["text"]["format"]["type"] == "json_schema"  # type: ignore[index]


def test_langchains_client_gets_objects(talk: Talk) -> None:
    client = talk()
    model = ChatOpenAI(base_url=str(client.base_url), api_key="none", model="default", max_retries=0)
    pet = model.with_structured_output(Pet).invoke("Name a pet.")
    assert isinstance(pet, Pet)


def test_a_stream_of_a_form_is_whole_at_its_end(talk: Talk) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "pet", "schema": SCHEMA, "strict": True}}
    stream = talk().chat.completions.create(
        model="default", messages=HI, response_format=form, stream=True, temperature=1.5
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    jsonschema.validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize(
    ("fields", "pattern"),
    [
        ({"guided_choice": ["yes", "no"]}, "yes|no"),
        ({"guided_regex": "[a-c]{3}"}, "[a-c]{3}"),
        ({"regex": "[a-c]{3}"}, "[a-c]{3}"),
        ({"structured_outputs": {"choice": ["up", "down"]}}, "up|down"),
        ({"grammar": 'root ::= "a" | "b"'}, "a|b"),
        ({"guided_grammar": 'start: "a" | "b"'}, "a|b"),
        ({"ebnf": 'root ::= "a" | "b"'}, "a|b"),
        ({"guided_json": {"enum": [1, 2]}}, "1|2"),
        ({"guided_json": '{"enum": [1, 2]}'}, "1|2"),
        ({"json_schema": {"enum": [1, 2]}}, "1|2"),
        ({"response_format": {"type": "json_object"}}, r"\{.*\}"),
    ],
)
def test_other_servers_fields_are_held_to(serve: Serve, fields: dict[str, Any], pattern: str) -> None:
    answer = serve().post("/v1/chat/completions", json={"messages": HI, "max_tokens": 300, "temperature": 0, **fields})
    assert answer.status_code == 200, answer.text
    choice = answer.json()["choices"][0]
    assert re.fullmatch(pattern, choice["message"]["content"], re.DOTALL) or choice["finish_reason"] == "length"
    assert "x-ignored-fields" not in answer.headers


def test_a_text_goes_on_in_a_form(serve: Serve) -> None:
    answer = serve().post("/v1/completions", json={"prompt": "The answer is", "guided_choice": [" yes", " no"]})
    assert answer.json()["choices"][0]["text"] in (" yes", " no")


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("response_format", {"response_format": {"type": "json_schema", "json_schema": {"schema": {"not": {}}}}}, "#/not"),
    ("response_format", {"response_format": {"type": "yaml"}}, "yaml"),
    ("structured_outputs", {"guided_regex": "("}, "("),
    ("structured_outputs", {"guided_regex": "a", "guided_choice": ["b"]}, "one of"),
    ("ignore_eos", {"guided_regex": "a", "ignore_eos": True}, "ignore_eos"),
]


@pytest.mark.parametrize(("param", "fields", "named"), WRONG)
def test_what_cannot_be_held_to_is_refused_by_name(
    serve: Serve, param: str, fields: dict[str, Any], named: str
) -> None:
    answer = serve().post("/v1/chat/completions", json={"messages": HI, **fields})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_parameter", param)
    assert named in error["message"]


def test_a_server_is_handed_the_form_and_its_refusal_is_told(talk: Talk, loopback: Loopback) -> None:
    client = talk(LLM_BACKEND="openai")
    form: Any = {"type": "json_schema", "json_schema": {"name": "pet", "schema": SCHEMA}}
    client.chat.completions.create(model="default", messages=HI, response_format=form)
    assert loopback.requests[-1]["response_format"] == form
    client.chat.completions.create(model="default", messages=HI, extra_body={"guided_regex": "a"})
    assert loopback.requests[-1]["structured_outputs"] == {"regex": "a"}
    loopback.script.append("refuse response_format")
    with pytest.raises(BadRequestError, match="response_format"):
        client.chat.completions.create(model="default", messages=HI, response_format=form)


@pytest.mark.parametrize("stream", [False, True])
def test_a_servers_reply_of_a_form_that_was_cut_is_kept_and_says_so(
    serve: Serve, loopback: Loopback, stream: bool
) -> None:
    """With tools beside it, which no client has to call strict."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
    form = {"type": "json_schema", "json_schema": {"name": "pet", "schema": SCHEMA}}
    loopback.reply, loopback.ended = '{"name": "Rex, a', "length"
    asked = {"messages": HI, "response_format": form, "tools": [tool], "max_tokens": 5, "stream": stream}
    answer = serve(LLM_BACKEND="openai").post("/v1/chat/completions", json=asked)
    assert answer.status_code == 200, answer.text
    assert loopback.requests[-1]["response_format"] == form
    if stream:
        rows = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        choices = [choice for row in rows for choice in row["choices"]]
        text = "".join(choice["delta"].get("content") or "" for choice in choices)
    else:
        choices = answer.json()["choices"]
        text = choices[0]["message"]["content"]
    assert (text.strip(), choices[-1]["finish_reason"]) == (loopback.reply, "length")


def test_predict_takes_a_schema(serve: Serve) -> None:
    answer = serve().post("/predict", json={"text": "Name a pet.", "schema": SCHEMA})
    assert answer.status_code == 200, answer.text
    jsonschema.validate(json.loads(answer.json()["reply"]), SCHEMA)
    form = serve().post("/predict", files={"text": (None, "Name a pet."), "schema": (None, json.dumps(SCHEMA))})
    assert form.status_code == 200, form.text
    jsonschema.validate(json.loads(form.json()["reply"]), SCHEMA)
