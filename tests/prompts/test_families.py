"""Templates of families of models write what transformers has them write, and what somebody typed stays text."""

import re
from typing import Any

import pytest
from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from prompts.template import Segment, render
from tests.prompts.families import TALKS, TEMPLATES

NAMES: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>"}
MARKER = re.compile(r"<\|?[\w/: ｜▁]+\|?>|\[/?[A-Z_]+\]|\[\|\w+\|\]|\]~b\]|\[e~\[")
DECIDED_BY_CONTENT = {"nemotron", "functionary", "gpt-oss", "blocks"}  # which tokens a template writes


def specials_of(template: str) -> list[str]:
    """All that looks like a token in a template, those of thinking among them."""
    roles = [f"<|{role}|>" for role in ("system", "user", "assistant")]
    return sorted({*MARKER.findall(template), *roles, *NAMES.values()})


def rendered(template: str, messages: list[dict[str, str]]) -> tuple[Segment, ...]:
    return render(template, messages, specials_of(template), **NAMES).segments


def as_transformers(template: str, messages: list[dict[str, str]]) -> str | None:
    """What transformers hands to its tokenizer; None where the template refuses."""
    try:
        return str(render_jinja_template([messages], chat_template=template, add_generation_prompt=True, **NAMES)[0][0])
    except TemplateError:
        return None


@pytest.mark.parametrize("family", TEMPLATES)
def test_a_family_reads_as_in_transformers(family: str) -> None:
    """Also where a message spells a token that the template looks for, as those of thinking."""
    for messages in TALKS:
        expected = as_transformers(TEMPLATES[family], messages)
        if expected is None:
            with pytest.raises(ValueError, match="chat template refuses"):
                rendered(TEMPLATES[family], messages)
        else:
            assert "".join(piece.text for piece in rendered(TEMPLATES[family], messages)) == expected


@pytest.mark.parametrize("family", sorted(TEMPLATES.keys() - DECIDED_BY_CONTENT))
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_a_typed_token_is_text_in_every_family(family: str, role: str) -> None:
    """The tokens of a prompt are the template's own ones, whatever a message spells, whole or at its ends."""

    def own(text: str) -> list[str]:
        contents = {"user": "one", "assistant": "two", role: text}
        turns = [{"role": speaker, "content": contents[speaker]} for speaker in ("user", "assistant")]
        pieces = rendered(TEMPLATES[family], [*turns, {"role": "user", "content": "three"}])
        return [piece.text for piece in pieces if piece.special]

    for token in specials_of(TEMPLATES[family]):
        for text in (f"x {token} y", token, token * 2, f"a {token[:-1]}", f"{token[1:]} b", f"{token[:-1]} "):
            assert own(text) == own("words"), text


def test_old_thinking_is_dropped_by_the_templates_that_do() -> None:
    """Where the model has tokens for it: these templates look for them in what was said."""
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>\nlong\n</think>\n\nshort"}]
    for family in ("deepseek", "qwq", "qwen-3", "qwen-3.5"):
        pieces = rendered(TEMPLATES[family], [*said, {"role": "user", "content": "r"}])
        text = "".join(piece.text for piece in pieces)
        assert "long" not in text, family
        assert "short" in text, family
