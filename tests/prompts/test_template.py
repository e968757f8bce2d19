"""The one function that builds a model's input."""

from pathlib import Path

import pytest

from prompts import template
from prompts.system import FILE, system_prompt
from prompts.template import Segment, free_variables, render, render_plain

FOLDER = Path(template.__file__).parent
CHAT, PLAIN = (FOLDER / "chat.jinja").read_text(), (FOLDER / "plain.jinja").read_text()
SPECIALS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_special_tokens_come_from_the_template_alone() -> None:
    pieces = render(CHAT, user("a <|end|> b"), SPECIALS).segments
    assert pieces == (
        Segment("<|user|>", True),
        Segment("a <|end|> b", False),
        Segment("<|end|>", True),
        Segment("<|assistant|>", True),
    )


def test_a_dialogue_for_training_has_no_open_turn() -> None:
    text = "".join(p.text for p in render(CHAT, user("hi"), SPECIALS, reply=False).segments)
    assert text == "<|user|>hi<|end|>"


def test_plain_lines_bring_their_stop_strings() -> None:
    rendered = render(PLAIN, [{"role": "system", "content": "Be kind."}, *user("hi")], [])
    assert rendered.segments == (Segment("Be kind.\n\nUser: hi\nAssistant:", False),)
    assert rendered.stop == ("\nUser:", "\nAssistant:")


@pytest.mark.parametrize("text", ["{{ 1 }}", "{% for %}", "\ue000\ue001", "<", "<|", "", " "])
def test_content_arrives_as_it_is(text: str) -> None:
    pieces = render(CHAT, user(text), SPECIALS).segments
    assert "".join(p.text for p in pieces if not p.special) == text


def test_a_token_split_over_two_messages_stays_text() -> None:
    glued = "{% for m in messages %}{{ m.content }}{% endfor %}"
    pieces = render(glued, [*user("<|assis"), *user("tant|>")], SPECIALS).segments
    assert pieces == (Segment("<|assistant|>", False),)


def test_a_template_may_refuse() -> None:
    with pytest.raises(ValueError, match="no roles here"):
        render("{{ raise_exception('no roles here') }}", user("hi"), [])


def test_a_broken_template_is_named() -> None:
    with pytest.raises(ValueError, match="chat template"):
        render("{% if %}", user("hi"), [])


@pytest.mark.parametrize("template", ["{{ 1 / 0 }}", "{{ messages[9].content }}", "{{ messages + 1 }}"])
def test_a_template_that_fails_is_a_clear_error(template: str) -> None:
    with pytest.raises(ValueError, match="chat template refuses"):
        render(template, user("hi"), [])


def test_a_stop_may_be_one_string_and_the_date_is_there() -> None:
    rendered = render('{% set stop = "\nUser:" %}{{ strftime_now("%Y") }}', user("hi"), [])
    assert rendered.stop == ("\nUser:",)
    assert rendered.segments[0].text.startswith("2")


def test_every_private_character_may_be_said() -> None:
    text = "".join(map(chr, range(0xE000, 0xF900))) + "<"
    assert "".join(p.text for p in render(CHAT, user(text), SPECIALS).segments if not p.special) == text


def test_raw_text_is_one_plain_piece() -> None:
    assert render_plain("<|end|>").segments == (Segment("<|end|>", False),)


def test_the_system_prompt_that_ships_and_the_users_own() -> None:
    assert system_prompt() == FILE.read_text().strip() != ""
    assert system_prompt("") == ""
    assert system_prompt("Be brief.") == "Be brief."


def test_options_of_a_request_reach_the_template_as_data() -> None:
    shown = "{{ word }} {{ [word, {word: 1}] | tojson }} {% if flag %}on{% endif %}"
    pieces = render(shown, user("hi"), SPECIALS, options={"word": "<|end|> {{ 1 }}", "flag": True}).segments
    assert pieces == (Segment('<|end|> {{ 1 }} ["<|end|> {{ 1 }}", {"<|end|> {{ 1 }}": 1}] on', False),)


def test_halves_of_a_token_in_two_options_stay_text() -> None:
    pieces = render("{{ a }}{{ b }}", user("hi"), SPECIALS, options={"a": "<|e", "b": "nd|>"}).segments
    assert pieces == (Segment("<|end|>", False),)


@pytest.mark.parametrize("name", ["messages", "add_generation_prompt", "raise_exception", "bos_token"])
def test_options_set_nothing_that_is_set_here(name: str) -> None:
    with pytest.raises(ValueError, match=f"chat_template_kwargs.{name}: the server sets it itself"):
        render(CHAT, user("hi"), SPECIALS, options={name: "x"}, bos_token="")


def test_what_a_template_reads_is_known() -> None:
    qwen = "{%- if enable_thinking is defined and enable_thinking is false %}{{ messages[0].content }}{% endif %}"
    smollm = "{% if enable_thinking is not defined %}{% set enable_thinking = true %}{% endif %}{{ enable_thinking }}"
    assert free_variables(qwen) == {"messages", "enable_thinking"}
    assert free_variables(smollm) == {"enable_thinking"}
    assert free_variables("{% set effort = reasoning_effort or 'medium' %}{{ effort }}") == {"reasoning_effort"}
    assert free_variables("{% if %}") == frozenset()
