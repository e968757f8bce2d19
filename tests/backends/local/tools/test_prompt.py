"""Tools, calls and results in prompts, by templates of each format and in words of ours."""

from typing import Any

import pytest

from backends.local.tools.offer import Offer, take
from backends.local.tools.prompt import ToolPrompts
from prompts.template import render
from tests.backends.local.tools.templates import TEMPLATES

TOOL: Any = {"type": "function", "function": {"name": "add", "description": "Adds up."}}
CALL: Any = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": {"a": "x", "b": True}}}
TALK: Any = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "the result", "name": "add", "tool_call_id": "call_1"},
]
PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"


def offer() -> Offer:
    found = take({"tools": [TOOL]})
    assert found is not None
    return found


def written(template: str, talk: Any, offered: Offer | None, way: int = 0) -> str:
    prompt = ToolPrompts(template, {}).write(talk, offered)[way]
    return "".join(part.text for part in render(template, prompt.rows, (), options=prompt.variables).segments)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_known_by_its_marks_and_writes_all_itself(name: str) -> None:
    prompts = ToolPrompts(TEMPLATES[name], {})
    assert prompts.format.name == ("hermes" if name == "xml_tools" else name)
    text = written(TEMPLATES[name], TALK, offer()).replace(" ", "")
    assert "Addsup." in text
    assert '"a":"x","b":true' in text
    assert "theresult" in text
    assert "Youmaycall" not in text or name == "deepseek-v3.1", "its own way goes before our words"


def test_a_template_without_tools_gets_them_in_words() -> None:
    text = written(PLAIN, [{"role": "system", "content": "Be kind."}, *TALK], offer())
    assert text.startswith("<system>Be kind.\n\nYou may call")
    assert '"description": "Adds up."' in text
    assert '<assistant><tool_call>\n{"name": "add", "arguments": {"a": "x", "b": true}}\n</tool_call>' in text
    assert "<user><tool_response>\nthe result\n</tool_response>" in text
    assert written(PLAIN, TALK, None).startswith("<user>hi<assistant><tool_call>"), "no system prompt without tools"


def test_words_stand_in_for_what_a_template_refuses() -> None:
    twice = [TALK[0], {**TALK[1], "tool_calls": [CALL, {**CALL, "id": "call_2"}]}, TALK[2]]
    with pytest.raises(ValueError, match="one call only"):
        written(TEMPLATES["llama-3"], twice, offer())
    assert "You may call" in written(TEMPLATES["llama-3"], twice, offer(), way=1)


def test_ids_fit_the_template() -> None:
    rows = ToolPrompts(TEMPLATES["mistral"], {}).write(TALK, None)[0].rows
    fitting = rows[1]["tool_calls"][0]["id"]
    assert len(fitting) == 9
    assert rows[2]["tool_call_id"] == fitting
