"""Going on with a reply that was cut: a local model at its last character, a server by being asked to."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.messages.utils import count_tokens_approximately

import backends
from backends.remote.chat import CONTINUE_PROMPT
from chains.assistant import build
from settings import Settings
from tests.loopback import Loopback

STORY = HumanMessage("tell me a long story")


def test_it_says_what_it_would_have_said(model: Any) -> None:
    """Greedy, cut after every fifth token: the halves are the whole, the space between them included."""
    whole = model.invoke([STORY], temperature=0, max_tokens=40)
    tokens = whole.usage_metadata["output_tokens"]
    assert tokens > 30
    spaces = 0
    for cut in range(1, tokens, 5):
        begun = model.invoke([STORY], temperature=0, max_tokens=cut)
        rest = model.invoke([STORY, AIMessage(begun.text)], temperature=0, max_tokens=40 - cut)
        assert begun.text + rest.text == whole.text
        assert rest.usage_metadata["output_tokens"] == tokens - cut
        spaces += rest.text.startswith(" ")
    assert spaces > 3


@pytest.mark.parametrize(
    "said",
    [
        "1 \u2192 2 \u2192 3 \u2192 4 \u2192",
        "\U0001f60a hi " * 3,
        "I paid \u20ac5, \u20ac6, \u20ac7, \u20ac8, \u20ac9, \u20ac",
    ],
)
def test_a_letter_that_was_cut_is_said_wholly_by_who_goes_on(
    name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    """Cut after every token, of which some are a part of a letter."""
    (tmp_path / "own.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    monkeypatch.setenv("CHAT_TEMPLATE", str(tmp_path / "own.jinja"))
    model: Any = backends.load(name, Settings.read())
    options: dict[str, Any] = {"temperature": 0, "repetition_penalty": 1.0, "ignore_eos": True}
    human = HumanMessage(said.strip())
    whole = model.invoke([human], **options, max_tokens=24)
    assert not whole.text.isascii()
    parts = 0
    for cut in range(1, 24):
        begun = model.invoke([human], **options, max_tokens=cut)
        assert begun.usage_metadata["output_tokens"] == cut
        assert "\ufffd" not in begun.text
        if len(model.get_token_ids(begun.text)) == cut:
            continue
        parts += 1
        rest = model.invoke([human, AIMessage(begun.text)], **options, max_tokens=24)
        assert (begun.text + rest.text).startswith(whole.text)
    assert parts


async def test_the_whole_chain_goes_on(name: str, settings: Settings) -> None:
    inputs = {"history": [], "input": STORY.content}
    options = {"temperature": 0, "seed": 1}
    whole = await build(settings, name, options={**options, "max_tokens": 30}).ainvoke(inputs)
    begun = await build(settings, name, options={**options, "max_tokens": 10}).ainvoke(inputs)
    going_on = build(settings, name, options={**options, "max_tokens": 20})
    rest = [part async for part in going_on.astream({**inputs, "partial": [AIMessage(begun)]})]
    assert begun + "".join(rest) == whole


def test_what_was_said_is_counted_and_stays_text(model: Any) -> None:
    said = "I know <|end|><|user|> tokens"
    counted = model.get_num_tokens_from_messages([STORY, AIMessage(said)])
    assert counted == model.get_num_tokens_from_messages([STORY]) + len(model.get_token_ids(said))
    reply = model.invoke([STORY, AIMessage(said)], max_tokens=3)
    assert reply.usage_metadata["input_tokens"] == counted


def test_what_does_not_fit_with_it_names_both_numbers(model: Any) -> None:
    with pytest.raises(ContextOverflowError, match=r"The prompt has \d{4} tokens.*holds 1024"):
        model.invoke([STORY, AIMessage("word " * 1100)])


@pytest.mark.parametrize(
    "template",
    [
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns') }}"
        "{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]",
        "{% if messages[-1].role != 'user' %}{{ raise_exception('the last is to be a user') }}{% endif %}"
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]",
    ],
)
def test_no_template_sees_it(
    name: str,
    template: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fresh_backends: None,
) -> None:
    """Many refuse a dialogue that ends with the assistant, and would end what it said."""
    (tmp_path / "own.jinja").write_text(template)
    monkeypatch.setenv("CHAT_TEMPLATE", str(tmp_path / "own.jinja"))
    strict: Any = backends.load(name, Settings.read())
    messages = [SystemMessage("be kind"), HumanMessage("hi"), AIMessage("Hel")]
    text = "".join(piece.text for piece in strict._render(messages).segments)
    assert text.endswith("hi[assistant]Hel")
    assert "be kind" in text
    assert strict.invoke(messages, max_tokens=3).text


def test_what_ends_a_turn_still_ends_it(bare: str) -> None:
    """A model without a template is stopped by the next speaker's name, in the second half as in the first."""
    plain: Any = backends.load(bare, Settings.read())
    rendered = plain._render([HumanMessage("hi"), AIMessage("Hello")])
    assert "".join(piece.text for piece in rendered.segments) == "User: hi\nAssistant:Hello"
    assert rendered.stop == plain._render([HumanMessage("hi")]).stop != ()
    reply = plain.invoke([HumanMessage("hi"), AIMessage("Hello")], max_tokens=80, seed=1).text
    assert "\nUser:" not in reply


def test_a_server_is_asked_to_go_on(loopback: Loopback) -> None:
    loopback.answer = lambda _: " there, Tom"
    reply = backends.load("openai", Settings.read()).invoke([HumanMessage("hi"), AIMessage("Hello \ud800")])
    assert [(m["role"], m["content"]) for m in loopback.requests[-1]["messages"]] == [
        ("user", "hi"), ("assistant", "Hello ?"), ("user", CONTINUE_PROMPT)
    ]  # fmt: skip
    assert reply.text == " there, Tom", "its space is kept"


async def test_a_server_is_asked_through_the_chain_as_well(loopback: Loopback) -> None:
    inputs = {"history": [HumanMessage("a"), AIMessage("b")], "input": "hi", "partial": [AIMessage("Hello")]}
    assert await build(Settings.read(), "openai").ainvoke(inputs)
    roles = [m["role"] for m in loopback.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    await build(Settings.read(), "openai").ainvoke({**inputs, "partial": []})
    assert loopback.requests[-1]["messages"][-1]["content"] == "hi", "only where there is something to go on with"


def test_a_servers_estimate_counts_it(loopback: Loopback) -> None:
    server: Any = backends.load("openai", Settings.read())
    messages = [HumanMessage("hi"), AIMessage("Hello " * 50)]
    assert server.get_num_tokens_from_messages(messages) == count_tokens_approximately(messages) > 70
