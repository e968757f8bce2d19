"""All that was said stands in the prompt, whatever roles a template knows."""

from itertools import product
from typing import Any

import pytest

from backends.local.arrangement import Arranger
from prompts.template import render
from tests.prompts.families import TEMPLATES

NAMES: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>"}
WORDS = ["one", "two", "three", "four", "five", "six"]
TURNS = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
ALTERNATING = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('turns') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
)
WITHOUT_SYSTEM = "{% for m in messages if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endfor %}"
FIRST_SYSTEM = WITHOUT_SYSTEM.replace("!= 'system'", "!= 'system' or m == messages[0]")


def rows(roles: str) -> list[dict[str, str]]:
    """Messages of the roles with these first letters."""
    names = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": names[letter], "content": word} for letter, word in zip(roles, WORDS, strict=False)]


def written(template: str, roles: str) -> str:
    arranged = Arranger(template, NAMES).arrange(rows(roles))
    return "".join(piece.text for piece in render(template, arranged, (), **NAMES).segments)


def test_a_template_that_writes_parts_alone_is_given_parts() -> None:
    """As SmolVLM's: of a text it would write nothing."""
    parts = "{% for m in messages %}[{{ m.role }}]{% for part in m.content %}{% if part.type == 'text' %}"
    parts += "{{ part.text }}{% endif %}{% endfor %}{% endfor %}"
    arranger = Arranger(parts, NAMES)
    typed = arranger.type(arranger.arrange(rows("su")))
    assert "".join(piece.text for piece in render(parts, typed, (), **NAMES).segments) == "[system]one[user]two"
    assert Arranger(TURNS, NAMES).type(rows("u")) == rows("u")


@pytest.mark.parametrize("family", sorted(TEMPLATES.keys() - {"blocks"}))  # which drops by content
def test_nothing_is_left_out_or_refused_in_any_family(family: str) -> None:
    """Any order of roles, up to four messages of which the last is the user's."""
    for length in range(4):
        for roles in product("sua", repeat=length):
            text = written(TEMPLATES[family], "".join(roles) + "u")
            said = [word for word, role in zip(WORDS, (*roles, "u"), strict=False) if role != "a"]
            assert all(word in text for word in said), roles


@pytest.mark.parametrize(
    ("template", "roles", "text"),
    [
        (TURNS, "suas", "[system]one[user]two[assistant]three[system]four"),
        (TURNS, "uu", "[user]one[user]two"),
        (ALTERNATING, "su", "[user]one\n\ntwo"),
        (ALTERNATING, "uuau", "[user]one\n\ntwo[assistant]three[user]four"),
        (ALTERNATING, "uaau", "[user]one[assistant]two\n\nthree[user]four"),
        (ALTERNATING, "suasu", "[user]one\n\ntwo[assistant]three[user]four\n\nfive"),
        (ALTERNATING, "au", "[user][assistant]one[user]two"),
        (ALTERNATING, "sau", "[user]one[assistant]two[user]three"),
        (WITHOUT_SYSTEM, "su", "[user]one\n\ntwo"),
        (WITHOUT_SYSTEM, "ssu", "[user]one\n\ntwo\n\nthree"),
        (WITHOUT_SYSTEM, "s", "[user]one"),
        (WITHOUT_SYSTEM, "usau", "[user]one\n\ntwo[assistant]three[user]four"),
        (WITHOUT_SYSTEM, "uasa", "[user]one[assistant]two[user]three[assistant]four"),
        (FIRST_SYSTEM, "suasu", "[system]one[user]two[assistant]three[user]four\n\nfive"),
        (FIRST_SYSTEM, "ssuau", "[system]one\n\ntwo[user]three[assistant]four[user]five"),
    ],
)
def test_what_is_merged_keeps_its_order(template: str, roles: str, text: str) -> None:
    assert written(template, roles) == text


def test_what_a_template_trims_or_puts_into_json_is_not_left_out() -> None:
    for shown in (
        "{{ m.content | trim }}",
        "{{ m | tojson }}",
        "{{ m.content.split('</think>')[-1] }}",
        "{{ m.content[:9] }}",
    ):
        template = "{% for m in messages %}{{ " + shown + " }}{% endfor %}"
        messages = [{"role": "system", "content": "  a </think> \n"}, {"role": "user", "content": 'long "quoted" text'}]
        assert Arranger(template, {}).arrange(messages) == messages


def test_what_no_arrangement_helps_is_sent_as_it_is() -> None:
    """The template's own words are the error; a template of the last message alone is somebody's wish."""
    messages = rows("sua")
    assert Arranger("{{ raise_exception('never') }}", {}).arrange(messages) == messages
    assert Arranger("{{ messages[-1].content }}", {}).arrange(rows("uau")) == rows("uau")
