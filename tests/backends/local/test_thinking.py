"""Thinking of both local models, by templates that open it: told apart, ended at a budget, followed by an answer."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

import backends
from backends import ThinkingControl, UnsupportedOptionError
from backends.thinking.formats import FORMATS, ThinkingFormat
from settings import Settings

TURNS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
PLAIN = [form for form in FORMATS if form.name in {"think", "mistral", "seed", "kimi-vl", "granite", "apriel"}]
OPTIONS: dict[str, Any] = {"temperature": 1.0, "max_tokens": 60, "ignore_eos": True}
COUNT = 20


def load(name: str, template: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A local model with this template."""
    path = tmp_path / "own.jinja"
    path.write_text(template)
    monkeypatch.setenv("CHAT_TEMPLATE", str(path))
    backends.unload()
    return backends.load(name, Settings.read())


@pytest.fixture
def thinker(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None) -> Any:
    """Each backend of this process, with a template that opens `<think>` itself."""
    return load(name, TURNS + "<think>\n{# </think> #}", monkeypatch, tmp_path)


def thought_tokens(message: AIMessage) -> int:
    usage = message.usage_metadata
    assert usage is not None
    return usage.get("output_token_details", {}).get("reasoning", 0)


@pytest.mark.parametrize("budget", [0, 1, 5, 100])
def test_no_reply_of_twenty_thinks_a_token_more_than_it_may(thinker: Any, budget: int) -> None:
    options = {**OPTIONS, "max_tokens": budget + 40}

    async def ask() -> list[AIMessage]:
        calls = [thinker.ainvoke(f"Hello {n}", reasoning_budget=budget, **options, seed=n) for n in range(COUNT)]
        return list(await asyncio.gather(*calls))

    for reply in asyncio.run(ask()):
        assert thought_tokens(reply) <= budget
        assert bool(reply.additional_kwargs.get("reasoning_content")) <= bool(budget)
        assert reply.text.strip(), "an answer follows"
        assert "think>" not in reply.text
        assert reply.usage_metadata is not None
        assert reply.usage_metadata["output_tokens"] == options["max_tokens"]


def test_thinking_is_ended_within_a_token_by_whoever_wants_the_answer(thinker: Any) -> None:
    control = ThinkingControl()

    async def ask() -> tuple[AIMessageChunk, int]:
        whole, most = AIMessageChunk(content=""), 0
        before = thinker.engine.sampled_tokens
        async for chunk in thinker.astream("Hello", thinking_control=control, **{**OPTIONS, "max_tokens": 600}, seed=1):
            whole += chunk
            if not control.is_over and chunk.additional_kwargs.get("reasoning_content"):
                control.end()
                most = thinker.engine.sampled_tokens - before + 1  # one was being drawn
        return whole, most

    reply, most = asyncio.run(ask())
    assert 0 < thought_tokens(reply) <= most < 500
    assert reply.text.strip()
    assert "think>" not in reply.text


def test_a_control_that_was_ended_before_leaves_no_thinking(thinker: Any) -> None:
    control = ThinkingControl()
    control.end()
    reply = thinker.invoke("Hello", thinking_control=control, **OPTIONS, seed=1)
    assert thought_tokens(reply) == 0
    assert reply.text.strip()


@pytest.mark.parametrize("budget", [3, 5, 60])
def test_a_reply_goes_on_inside_its_thinking(thinker: Any, budget: int) -> None:
    said = AIMessage("", additional_kwargs={"reasoning_content": "First I see"})
    rendered = thinker._render([HumanMessage("Hello"), said])
    text = "".join(segment.text for segment in rendered.segments)
    assert text.endswith("assistant: <think>\nFirst I see")
    before = len(thinker.get_token_ids("First I see"))
    reply = thinker.invoke([HumanMessage("Hello"), said], reasoning_budget=budget, **{**OPTIONS, "max_tokens": 90})
    assert thought_tokens(reply) <= max(0, budget - before + 1)
    assert reply.text.strip()


def test_a_model_that_opens_its_thinking_itself_goes_on_inside_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None
) -> None:
    model = load(name, TURNS + "{# <think> </think> #}", monkeypatch, tmp_path)
    said = AIMessage("", additional_kwargs={"reasoning_content": "First I see"})
    text = "".join(segment.text for segment in model._render([HumanMessage("Hello"), said]).segments)
    assert text.endswith("assistant: <think>\nFirst I see")
    reply = model.invoke([HumanMessage("Hello"), said], reasoning_budget=8, **OPTIONS)
    assert reply.text.strip()
    assert reply.additional_kwargs["reasoning_content"]


def test_a_model_without_thinking_does_not_go_on_inside_one(name: str, fresh_backends: None) -> None:
    model = backends.load(name, Settings.read())
    said = AIMessage("", additional_kwargs={"reasoning_content": "First I see"})
    with pytest.raises(ModelInvalidRequestError, match="does not think"):
        model.invoke([HumanMessage("Hello"), said])


EFFORTS = {
    "{{ enable_thinking }}": ("none", "on"),
    "{{ thinking }}": ("none", "on"),
    "{{ reasoning_effort }}": ("none", "low", "medium", "high"),
    "{% if reasoning_effort in ['high', 'max'] %}{{ enable_thinking }}{% endif %}": ("none", "high", "max"),
    "<think>": ("none",),
    "": (),
}


@pytest.mark.parametrize("template", EFFORTS)
def test_efforts_are_those_of_the_template(
    name: str, template: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None
) -> None:
    model = load(name, TURNS + template, monkeypatch, tmp_path)
    known = EFFORTS[template]
    assert model.thinking_efforts() == known
    assert backends.effort.known_efforts(model) == known
    for effort in backends.effort.EFFORTS:
        is_switched = "enable_thinking" in template or "thinking }}" in template
        thinks_by_itself = effort == "on" and known
        if effort in known or effort == "none" or is_switched or thinks_by_itself:  # any effort switches it on
            model.invoke("Hello", reasoning_effort=effort, max_tokens=1)
        else:
            with pytest.raises(UnsupportedOptionError, match=f"reasoning_effort={effort}"):
                model.invoke("Hello", reasoning_effort=effort, max_tokens=1)


def test_a_model_that_is_not_to_think_does_not(thinker: Any) -> None:
    reply = thinker.invoke("Hello", reasoning_effort="none", **OPTIONS)
    assert thought_tokens(reply) == 0
    assert reply.text.strip()


@pytest.mark.parametrize("budget", [-2, 1.5, True, "many"])
def test_a_budget_is_a_number_of_tokens(thinker: Any, budget: Any) -> None:
    with pytest.raises(UnsupportedOptionError, match=f"reasoning_budget={budget}: it must be"):
        thinker.invoke("Hello", reasoning_budget=budget)


def test_thinking_without_an_end_is_no_answer(thinker: Any) -> None:
    reply = thinker.invoke("Hello", **OPTIONS, seed=1)
    assert reply.text == ""
    assert reply.additional_kwargs["reasoning_content"]
    assert thought_tokens(reply) > OPTIONS["max_tokens"] - 5
    assert reply.response_metadata["finish_reason"] == "length"


def test_an_answer_is_held_to_its_form_behind_the_thinking(thinker: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"enum": ["x", "y"]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    reply = thinker.invoke("Hello", reasoning_budget=7, response_format=form, temperature=1.0, seed=2, max_tokens=60)
    assert json.loads(reply.text)["a"] in {"x", "y"}
    assert 0 < thought_tokens(reply) <= 7


def test_a_reply_that_was_cut_goes_on_behind_its_thinking(thinker: Any) -> None:
    rendered = thinker._render([HumanMessage("Hello"), AIMessage("I am")])
    text = "".join(segment.text for segment in rendered.segments)
    assert text.endswith("assistant: <think>\n\n</think>\n\nI am")
    assert thinker.invoke([HumanMessage("Hello"), AIMessage("I am")], **OPTIONS).text


@pytest.mark.parametrize("form", PLAIN, ids=lambda form: form.name)
def test_each_way_of_marking_it_is_read_from_the_template(
    name: str, form: ThinkingFormat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None
) -> None:
    model = load(name, f"{TURNS}{form.openings[0]}{{# {form.marks[0]} #}}", monkeypatch, tmp_path)
    reply = model.invoke("Hello", reasoning_budget=4, **OPTIONS, seed=3)
    assert 0 < thought_tokens(reply) <= 4
    assert form.ending not in reply.text
    assert reply.text.strip()


def test_what_somebody_typed_is_text(name: str, fresh_backends: None) -> None:
    """A model that does not think, asked about the mark of those that do."""
    model = backends.load(name, Settings.read())
    reply = model.invoke("<think> Say it </think>", **OPTIONS, seed=4)
    assert "reasoning_content" not in reply.additional_kwargs
    assert thought_tokens(reply) == 0
