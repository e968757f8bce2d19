"""Replies that are held to a form, by both engines of this process: JSON of a schema, patterns, choices, grammars."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel, Field

import backends
from backends import UnsupportedOptionError
from settings import Settings

LOCAL = ("llamacpp", "gpt2")
SHORT = {"type": "string", "maxLength": 12}
PERSON = {
    "type": "object",
    "properties": {
        "name": SHORT,
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "likes": {"type": "array", "items": SHORT, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "likes"],
    "additionalProperties": False,
}
SCHEMAS: list[dict[str, Any]] = [
    PERSON,
    {"enum": ["red", "green", 3, None]},
    {"const": {"a": [1, 2]}},
    {"type": ["boolean", "null"]},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "integer", "multipleOf": 7, "minimum": 10, "maximum": 99},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "uuid"},
    {"type": "array", "prefixItems": [{"type": "integer", "maximum": 99, "minimum": 0}, SHORT], "items": False},
    {"anyOf": [{"type": "boolean"}, {"enum": ["maybe"]}]},
    {"oneOf": [{"type": "boolean"}, {"type": "null"}]},
    {"allOf": [{"type": "integer", "minimum": 5}, {"maximum": 9}]},
    {"$ref": "#/$defs/tree", "$defs": {"tree": {
        "type": "object",
        "properties": {"leaf": {"type": "boolean"}, "next": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}},
        "required": ["leaf", "next"], "additionalProperties": False}}},
]  # fmt: skip


@pytest.fixture(params=LOCAL)
def model(request: pytest.FixtureRequest, fresh_backends: None) -> BaseChatModel:
    return backends.load(request.param, Settings.read())


@pytest.fixture(scope="module")
def both() -> Iterator[list[BaseChatModel]]:
    yield [backends.load(name, Settings.read()) for name in LOCAL]
    backends.unload()


def of_schema(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema}}}


@pytest.mark.parametrize("number", range(len(SCHEMAS)))
@pytest.mark.parametrize("temperature", [0, 1.5])
def test_replies_fit_their_schema(both: list[BaseChatModel], number: int, temperature: float) -> None:
    schema = SCHEMAS[number]
    for model in both:
        reply = model.invoke("hi, who are you?", **of_schema(schema), temperature=temperature, max_tokens=200, seed=3)
        if reply.response_metadata["finish_reason"] == "stop":
            jsonschema.validate(json.loads(str(reply.text)), schema)
        else:  # a tree may grow for ever, the others end
            assert "$ref" in schema


def test_both_engines_say_the_same(both: list[BaseChatModel]) -> None:
    """One model in two files: greedy tokens are equal under a schema as they are without."""
    said = [model.invoke("hi, who are you?", **of_schema(PERSON), temperature=0).text for model in both]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ({"regex": "[A-Z][a-z]{2,5} is [0-9]{2}"}, "[A-Z][a-z]{2,5} is [0-9]{2}"),
        ({"choice": ["yes", "no, never", "ja, natürlich"]}, "yes|no, never|ja, natürlich"),
        ({"grammar": 'start: "<" /[a-f]{1,4}/ ">"'}, "<[a-f]{1,4}>"),
        ({"grammar": 'root ::= "a" [0-9] "b"'}, "a[0-9]b"),
        ({"json_object": True}, r"\{.*"),
    ],
)
def test_replies_fit_a_pattern(model: BaseChatModel, form: dict[str, Any], pattern: str) -> None:
    reply = model.invoke("hi", structured_outputs=form, temperature=1.2, max_tokens=60)
    assert re.fullmatch(pattern, str(reply.text), re.DOTALL)


def test_a_stream_holds_at_each_point_and_ends_where_the_form_ends(model: BaseChatModel) -> None:
    pieces = [str(chunk.text) for chunk in model.stream("hi", **of_schema(PERSON), temperature=1)]
    assert len(pieces) > 3
    jsonschema.validate(json.loads("".join(pieces)), PERSON)


def test_limits_are_told_and_stop_strings_work(model: BaseChatModel) -> None:
    cut = model.invoke("hi", **of_schema(PERSON), max_tokens=5)
    assert cut.response_metadata["finish_reason"] == "length"
    stopped = model.invoke("hi", structured_outputs={"regex": "a{5}b{5}"}, stop=["abb"])
    assert str(stopped.text) == "aaaa"


def test_a_reply_that_was_cut_goes_on_in_its_form(model: BaseChatModel) -> None:
    asked = [HumanMessage("hi, who are you?"), AIMessage('{"name": "A')]
    rest = model.invoke(asked, **of_schema(PERSON), temperature=0)
    jsonschema.validate(json.loads('{"name": "A' + str(rest.text)), PERSON)
    with pytest.raises(UnsupportedOptionError, match="so far"):
        model.invoke([HumanMessage("hi"), AIMessage("Well, ")], **of_schema(PERSON))


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"type": "array", "uniqueItems": True}, "uniqueItems at #/uniqueItems"),
        ({"type": "object", "properties": {"a": {"not": {"type": "null"}}}}, "not at #/properties/a/not"),
        ({"oneOf": [{"minimum": 1}, {"maximum": 5}]}, "oneOf"),
        ({"$ref": "https://example.com/other.json"}, "other.json"),
        ({"type": "string", "format": "regex"}, "regex"),
        ({"type": "integer", "minimum": 5, "maximum": 2}, "5"),
        ({"type": "string", "pattern": "(?=a)b"}, "pattern"),
        ({"type": "object", "minProperties": 2}, "minProperties at #/minProperties"),
        (False, "schema"),
    ],
)
def test_what_cannot_be_held_to_is_refused_before_anything_is_computed(
    model: BaseChatModel, schema: Any, named: str
) -> None:
    engine: Any = model.engine  # type: ignore[attr-defined]
    before = engine.prefilled_tokens
    with pytest.raises(UnsupportedOptionError) as caught:
        model.invoke("hi", **of_schema(schema))
    assert named in str(caught.value)
    assert caught.value.option == "response_format"
    assert engine.prefilled_tokens == before


OPEN = {"type": "object", "properties": {"price": {"type": "integer", "minimum": 1}}, "required": ["price"]}


def test_a_named_property_comes_once_however_its_name_is_spelled(model: BaseChatModel) -> None:
    """Every parser takes the second one for the first: llguidance 1.9.1 took it for another property."""
    for more in ('"price": ', '"pric\\u0065": ', '"\\u0070rice": '):
        begun = [HumanMessage("hi"), AIMessage('{"price": 5, ' + more)]
        with pytest.raises(UnsupportedOptionError, match="so far"):
            model.invoke(begun, **of_schema(OPEN), max_tokens=1)
    for more in ('"note": ', '"pricey": ', '"pri\\"ce": ', '"": '):
        model.invoke([HumanMessage("hi"), AIMessage('{"price": 5, ' + more)], **of_schema(OPEN), max_tokens=1)


def test_objects_that_several_schemas_describe_are_held_to_as_well(model: BaseChatModel) -> None:
    both = {"$defs": {"one": OPEN, "two": {"properties": {"note": {"enum": ["a", "b"]}}, "required": ["note"]}}}
    schema = {**both, "allOf": [{"$ref": "#/$defs/one"}, {"$ref": "#/$defs/two"}]}
    model.invoke([HumanMessage("hi"), AIMessage('{"price": 5, "note": "b"')], **of_schema(schema), max_tokens=1)
    model.invoke("hi", **of_schema({**OPEN, "minProperties": 2}), max_tokens=1)  # of which one has to be there


def test_large_schemas_and_hard_patterns_end(model: BaseChatModel) -> None:
    """Either they are refused, or they are held to; the model answers afterwards as before."""
    wide = {"type": "object", "properties": {f"p{n}": {"type": "boolean"} for n in range(2000)}}
    for form in (of_schema(wide), {"structured_outputs": {"regex": "(a|a?)+b(x+x+)+y"}}):
        with suppress(UnsupportedOptionError):
            assert model.invoke("hi", **form, max_tokens=20).text
    assert model.invoke("hi", temperature=0).text


async def test_others_go_on_beside_it(model: BaseChatModel) -> None:
    """Chats with a form and without, together: each is what it asked to be."""
    asked = [of_schema(PERSON), {}, {"structured_outputs": {"choice": ["yes", "no"]}}, {}]
    replies = await asyncio.gather(*(model.ainvoke("do you like music?", **form, temperature=0) for form in asked))
    jsonschema.validate(json.loads(str(replies[0].text)), PERSON)
    assert replies[1].text == replies[3].text
    assert replies[2].text in ("yes", "no")


class Pet(BaseModel):
    """An animal."""

    name: str = Field(max_length=12)
    legs: int = Field(ge=0, le=8)


def test_langchain_gets_objects(model: BaseChatModel) -> None:
    pet = model.with_structured_output(Pet).invoke("Name a pet.")
    assert isinstance(pet, Pet)
    raw = model.with_structured_output(Pet.model_json_schema(), include_raw=True).invoke("Name a pet.")
    assert isinstance(raw, dict)
    assert raw["parsed"].keys() == {"name", "legs"}
    assert raw["parsing_error"] is None
