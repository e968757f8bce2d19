"""Calls of tools by both engines of this process: held to their form, read, streamed, and answered."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from langchain_core.exceptions import ContextOverflowError, ModelInvalidRequestError
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from pydantic import BaseModel, Field

import backends
from backends import UnsupportedOptionError
from settings import Settings
from tests.backends.local.test_markers import write_folder
from tests.backends.local.tools.templates import TEMPLATES
from tests.backends.local.vocabularies import TokenType, write_sentencepiece


class Book(BaseModel):
    """Book."""

    place: str = Field(max_length=10)
    persons: int = Field(ge=1, le=20)
    smoking: bool = False


class Now(BaseModel):
    """The time."""


SCHEMA = {**Book.model_json_schema(), "additionalProperties": False}
HI = [HumanMessage("hi, book a table")]
CALL = {"name": "Now", "args": {}, "id": "call_1", "type": "tool_call"}


@pytest.fixture(scope="module")
def both() -> Iterator[list[Any]]:
    yield [backends.load(name, Settings.read()) for name in ("llamacpp", "gpt2")]
    backends.unload()


def whole(chunks: Iterator[Any]) -> tuple[AIMessageChunk, list[AIMessageChunk]]:
    found = list(chunks)
    message = found[0]
    for chunk in found[1:]:
        message += chunk
    return message, found


@pytest.mark.parametrize("temperature", [0, 1.5])
def test_arguments_are_of_their_schema(both: list[Any], temperature: float) -> None:
    """By a model that never saw a tool; greedy, both engines call the same."""
    called = []
    for model in both:
        bound = model.bind_tools([Book, Now], tool_choice="Book")
        reply = bound.invoke(HI, temperature=temperature, seed=2)
        assert reply.response_metadata["finish_reason"] == "tool_calls"
        assert reply.text == ""
        (call,) = reply.tool_calls
        assert call["name"] == "Book"
        jsonschema.validate(call["args"], SCHEMA)
        called.append(call["args"])
    assert called[0] == called[1] or temperature


def test_calls_come_in_pieces_the_name_first(both: list[Any]) -> None:
    for model in both:
        message, chunks = whole(model.bind_tools([Book], tool_choice="any").stream(HI, temperature=0))
        pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
        assert pieces[0]["name"] == "Book"
        assert pieces[0]["id"]
        assert all(piece["name"] is None and piece["args"] for piece in pieces[1:] if piece["index"] == 0)
        assert len(pieces) > 4
        assert not any(chunk.text for chunk in chunks)
        jsonschema.validate(json.loads("".join(p["args"] or "" for p in pieces if p["index"] == 0)), SCHEMA)
        assert message.usage_metadata
        assert message.usage_metadata["output_tokens"] > len(pieces) / 2


def test_one_call_where_one_is_wanted_and_none_where_none_is(both: list[Any]) -> None:
    for model in both:
        one = model.bind_tools([Now], tool_choice="required", parallel_tool_calls=False).invoke(HI, temperature=1.5)
        assert [call["args"] for call in one.tool_calls] == [{}]
        none = model.bind_tools([Now], tool_choice="none").invoke(HI, temperature=0)
        assert none.tool_calls == []
        assert none.text == model.invoke(HI, temperature=0).text


def test_a_call_that_the_model_begins_by_itself_is_held_to_its_form(both: list[Any]) -> None:
    """`auto`: what it has said so far ends with the marker, as it would have written it."""
    for model in both:
        begun = [*HI, AIMessage("Let me see. <tool_call>")]
        message, _ = whole(model.bind_tools([Book]).stream(begun, temperature=1.5, seed=1))
        assert message.text == ""
        assert message.response_metadata["finish_reason"] == "tool_calls"
        for call in message.tool_calls:
            jsonschema.validate(call["args"], SCHEMA)


def test_without_a_call_the_text_is_the_models(both: list[Any]) -> None:
    for model in both:
        reply = model.bind_tools([Book]).invoke(HI, temperature=0, max_tokens=30)
        assert reply.text
        assert reply.tool_calls == []
        assert "<tool_call>" not in reply.text


def test_a_form_beside_tools_is_for_the_text(both: list[Any]) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "mood", "schema": {"enum": ["good", "bad"]}}}
    for model in both:
        reply = model.bind_tools([Now]).invoke(HI, response_format=form, temperature=0)
        assert reply.tool_calls or json.loads(reply.text) in ("good", "bad")
        forced = model.bind_tools([Now], tool_choice="Now").invoke(HI, response_format=form)
        assert forced.tool_calls


def test_a_call_that_does_not_fit_is_told_as_far_as_it_went(both: list[Any]) -> None:
    reply = both[0].bind_tools([Book], tool_choice="Book").invoke(HI, max_tokens=25)
    assert reply.response_metadata["finish_reason"] == "length"
    assert reply.tool_calls == []
    assert reply.invalid_tool_calls[0]["name"] == "Book"


def test_calls_and_results_are_part_of_the_prompt(both: list[Any]) -> None:
    for model in both:
        talk = [*HI, AIMessage("", tool_calls=[CALL]), ToolMessage("ten o'clock", tool_call_id="call_1")]
        bound = model.bind_tools([Now])
        prompt = "".join(part.text for part in model._render(talk).segments)
        assert "ten o'clock" in prompt
        assert '"name": "Now"' in prompt
        assert bound.invoke(talk, temperature=0, max_tokens=5).usage_metadata["input_tokens"] == (
            model.get_num_tokens_from_messages(talk, [Now])
        )


@pytest.mark.parametrize(
    ("talk", "named"),
    [
        ([*HI, ToolMessage("x", tool_call_id="call_9")], "call_9"),
        ([*HI, AIMessage("", tool_calls=[CALL])], "call_1"),
    ],
)
def test_calls_and_results_belong_together(both: list[Any], talk: Any, named: str) -> None:
    with pytest.raises(ModelInvalidRequestError, match=named):
        both[0].bind_tools([Now]).invoke(talk)


def test_what_a_schema_asks_beyond_reach_is_refused_if_strict(both: list[Any]) -> None:
    """Otherwise the model is trusted with that keyword, and held to the others."""
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "boolean"}, "maxItems": 2,
              "uniqueItems": True}}, "required": ["a"]}  # fmt: skip
    tool = {"type": "function", "function": {"name": "pick", "parameters": schema}}
    model = both[0]
    before = model.engine.prefilled_tokens
    with pytest.raises(UnsupportedOptionError, match=r"tools\.pick\.parameters: uniqueItems at #/properties/a"):
        model.bind_tools([tool], strict=True, tool_choice="pick").invoke(HI)
    outside = {"type": "function", "function": {"name": "pick", "parameters": {"$ref": "https://example.com/x.json"}}}
    with pytest.raises(UnsupportedOptionError, match="pick"):
        model.bind_tools([outside]).invoke(HI)
    assert model.engine.prefilled_tokens == before
    reply = model.bind_tools([tool], tool_choice="pick").invoke(HI)
    assert all(isinstance(each, bool) for each in reply.tool_calls[0]["args"]["a"])
    assert reply.response_metadata["not_held"] == (
        "tools.pick.parameters: uniqueItems at #/properties/a/uniqueItems cannot be held to: "
        "the model is trusted with it, so check the arguments."
    )
    assert "not_held" not in model.bind_tools([Now]).invoke(HI, max_tokens=2).response_metadata


def test_what_can_be_held_to_is_where_something_else_cannot(both: list[Any]) -> None:
    """Branches that overlap are one of several instead of exactly one; those that never do stay what they are."""
    kind = {"type": "object", "properties": {"kind": {"const": "a"}}, "required": ["kind"]}
    schema = {
        "type": "object",
        "properties": {
            "apart": {"oneOf": [{"type": "boolean"}, kind]},
            "alike": {"oneOf": [{"type": "integer", "minimum": 1, "maximum": 5}, {"type": "number", "minimum": 3}]},
            "other": {"type": "string", "maxLength": 3, "not": {"const": "x"}},
        },
        "required": ["apart", "alike", "other"],
    }
    loose = jsonschema.Draft202012Validator(
        {**schema, "properties": {**schema["properties"], "alike": {"type": "number"}, "other": {"maxLength": 3}}}  # type: ignore[dict-item]
    )
    tool = {"type": "function", "function": {"name": "pick", "parameters": schema}}
    for model in both:
        for seed in range(10):
            bound = model.bind_tools([tool], tool_choice="pick")
            reply = bound.invoke(HI, temperature=1.5, seed=seed, max_tokens=400)
            if reply.response_metadata["finish_reason"] != "length":
                loose.validate(reply.tool_calls[0]["args"])
        told = reply.response_metadata["not_held"]
        assert "oneOf at #/properties/alike/oneOf" in told
        assert "apart" not in told
        assert "not at #/properties/other/not" in told


def test_schemas_of_any_size_end(both: list[Any]) -> None:
    tree = {"$defs": {"tree": {"type": "object", "properties": {"next": {"$ref": "#/$defs/tree"}}}},
            "type": "object", "properties": {"tree": {"$ref": "#/$defs/tree"}}}  # fmt: skip
    wide = {"type": "object", "properties": {f"p{n}": {"type": "boolean"} for n in range(2000)}}
    for parameters in (tree, wide):
        tool = {"type": "function", "function": {"name": "pick", "parameters": parameters}}
        with suppress(UnsupportedOptionError, ContextOverflowError):
            both[0].bind_tools([tool], tool_choice="pick").invoke("hi", max_tokens=50)
        assert both[0].invoke("hi", max_tokens=2).text


MARKERS = (
    *("<|end|>", "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|call|>", "<tool_call>", "</tool_call>"),
    *("[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>"),
    *("<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"),
)


@pytest.fixture(params=TEMPLATES)
def tiny(request: pytest.FixtureRequest, name: str, tmp_path: Path, monkeypatch: Any, fresh_backends: None) -> Any:
    """A model of noise whose markers are special tokens, with a template of each format, in each engine."""
    template = TEMPLATES[request.param]
    write_sentencepiece(tmp_path / "tiny.gguf", dict.fromkeys(MARKERS, TokenType.CONTROL), template=template)
    if name == "gpt2":
        write_folder(tmp_path)
    monkeypatch.setenv("GPT2_MODEL", str(tmp_path))
    monkeypatch.setenv("LLAMACPP_MODEL", str(tmp_path / "tiny.gguf"))
    return backends.load(name, Settings.read())


def test_each_format_by_special_tokens(tiny: Any) -> None:
    """Called, told in pieces and sent back; a marker that somebody typed is text."""
    own = [text for text in MARKERS[1:] if text in tiny.template.text]
    typed = HumanMessage("hi " + " ".join(own[:2]))
    assert not {tiny.engine.special_id(text) for text in own} & set(tiny._prompt([typed])[1])
    reply = tiny.bind_tools([Book], tool_choice="Book").invoke(
        [typed], temperature=2.0, top_k=0, seed=5, max_tokens=400
    )
    (call,) = reply.tool_calls
    jsonschema.validate(call["args"], SCHEMA)
    assert reply.text == ""
    talk = [typed, reply, ToolMessage(f"done {own[:1]}", tool_call_id=call["id"])]
    prompt = tiny._prompt(talk)[1]
    for text in own:
        assert prompt.count(tiny.engine.special_id(text)) == tiny.template.text.count(text)
    assert tiny.bind_tools([Book]).invoke(talk, max_tokens=3).usage_metadata["output_tokens"] <= 3
