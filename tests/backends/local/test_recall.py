"""What was thought stands in the next prompt where the template asks for it, and nowhere else; it stays text there."""

import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

import backends
from backends.local.recall import THOUGHT, Recall
from backends.local.tools.prompt import ToolPrompts
from prompts.template import Segment, render
from settings import Settings
from tests.backends.local.thinking_families import FAMILIES, GPT_OSS, KIMI, PLAIN, QWEN, SEED

CALL = {"id": "callcall1", "type": "function", "function": {"name": "look", "arguments": {"at": "sky"}}}
MARK = re.compile(r"</?[\w:]+>|<\|?[\w ]+\|?>|\[/?[A-Z]+\]")
FIRST, BETWEEN, EARLIER = "I weigh it.", "I look again.", "I look first."


def marks_of(template: str) -> list[str]:
    """All that looks like a token of the template's."""
    return sorted(set(MARK.findall(template)))


def asked(text: str = "hi") -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str, thought: str, *calls: Any) -> dict[str, Any]:
    row = {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}
    return {**row, THOUGHT: thought} if thought else row


RESULT = {"role": "tool", "content": "It is blue.", "name": "look", "tool_call_id": "callcall1"}
ANSWERED = [asked(), said("Yes.", FIRST), asked("And now?")]
CALLING = [asked(), said("", BETWEEN, CALL), RESULT]
CALLED = [asked(), said("", EARLIER, CALL), RESULT, said("Blue.", ""), asked("Sure?")]


def written(template: str, rows: list[dict[str, Any]]) -> tuple[Segment, ...]:
    """The prompt of rows, with calls as the template takes them."""
    way = ToolPrompts(template, {}).write(rows, None)[0]
    for shown in Recall(template, {}).write(way.rows):
        try:
            return render(template, shown, marks_of(template)).segments
        except ValueError:
            continue
    raise AssertionError("the template takes none of them")


def text_of(segments: tuple[Segment, ...]) -> str:
    return "".join(segment.text for segment in segments)


@pytest.mark.parametrize("family", FAMILIES)
def test_its_name_is_found_on_the_template(family: str) -> None:
    template, name, _ = FAMILIES[family]
    assert Recall(template, {}).name == name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_template_decides_where_it_stands(family: str) -> None:
    template, _, (before_answer, before_call, before_earlier_call) = FAMILIES[family]
    assert (FIRST in text_of(written(template, ANSWERED))) == before_answer
    assert (BETWEEN in text_of(written(template, CALLING))) == before_call
    assert (EARLIER in text_of(written(template, CALLED))) == before_earlier_call
    for rows in (ANSWERED, CALLED):
        plain = [{name: value for name, value in row.items() if name != THOUGHT} for row in rows]
        if not any(FAMILIES[family][2][::2]):  # then it is as if nothing had been thought
            assert written(template, rows) == written(template, plain)


@pytest.mark.parametrize("family", [family for family, (_, name, _) in FAMILIES.items() if name])
def test_marks_that_were_thought_are_text(family: str) -> None:
    """Those of the template that end the thinking, or the turn, whole, in halves and in a row."""
    template = FAMILIES[family][0]
    own = [piece.text for piece in written(template, CALLING) if piece.special]
    for mark in [*marks_of(template), "<|im_end|>"]:
        for thought in (mark, f"so {mark} and {mark}{mark}", f"{mark[:-1]}", f"a{mark[1:]}"):
            segments = written(template, [asked(), said("", thought, CALL), RESULT])
            assert [piece.text for piece in segments if piece.special] == own, thought
            assert thought.strip() in text_of(segments)


def test_what_a_template_refuses_is_told_in_another_way() -> None:
    """gpt-oss takes no words beside a call that something was thought before."""
    text = text_of(written(GPT_OSS, [asked(), said("Let me look.", BETWEEN, CALL), RESULT]))
    assert f"analysis<|message|>{BETWEEN}\n\nLet me look.<|end|>" in text


@pytest.fixture
def load(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fresh_backends: None) -> Any:
    """A local model of either engine with a template."""

    def made(template: str) -> Any:
        (tmp_path / "own.jinja").write_text(template)
        monkeypatch.setenv("CHAT_TEMPLATE", str(tmp_path / "own.jinja"))
        backends.unload()
        return backends.load(name, Settings.read())

    return made


def thinking(text: str, thought: str, *calls: Any) -> AIMessage:
    return AIMessage(text, additional_kwargs={THOUGHT: thought}, tool_calls=list(calls))


STEPS: list[BaseMessage] = [
    HumanMessage("hi"),
    thinking("", BETWEEN, {"name": "look", "args": {"at": "sky"}, "id": "callcall1"}),
    ToolMessage("It is blue.", tool_call_id="callcall1"),
]


def prompt_of(model: Any, messages: list[BaseMessage]) -> str:
    return text_of(model._render(messages).segments)


def test_a_model_reads_it_between_its_calls_and_counts_it(load: Any) -> None:
    """What is counted is what is sent: longer by what was thought, where its ends may join their neighbours."""
    model = load(KIMI)
    assert f"<think>{BETWEEN}</think>" in prompt_of(model, STEPS)
    bare = [message.model_copy(update={"additional_kwargs": {}}) for message in STEPS]
    longer = model.get_num_tokens_from_messages(STEPS) - model.get_num_tokens_from_messages(bare)
    assert abs(longer - len(model.get_token_ids(BETWEEN))) <= 2
    reply = model.invoke(STEPS, max_tokens=3, seed=1)
    assert reply.usage_metadata["input_tokens"] == model.get_num_tokens_from_messages(STEPS)


def test_a_model_reads_none_of_it_before_the_last_question(load: Any) -> None:
    model = load(QWEN)
    talk = [HumanMessage("hi"), thinking("Yes.", FIRST), HumanMessage("And now?")]
    plain = [HumanMessage("hi"), AIMessage("Yes."), HumanMessage("And now?")]
    assert prompt_of(model, talk) == prompt_of(model, plain)
    assert model.get_num_tokens_from_messages(talk) == model.get_num_tokens_from_messages(plain)


def test_two_prompts_that_differ_in_what_was_thought_are_two(load: Any) -> None:
    """What was counted last is sent as it was counted: not for another thought."""
    model = load(SEED)
    first = [HumanMessage("hi"), thinking("Yes.", FIRST), HumanMessage("And now?")]
    other = [HumanMessage("hi"), thinking("Yes.", f"{FIRST} And again."), HumanMessage("And now?")]
    counted = model.get_num_tokens_from_messages(first)
    reply = model.invoke(other, max_tokens=3, seed=1)
    assert reply.usage_metadata["input_tokens"] > counted
    assert reply.usage_metadata["input_tokens"] == model.get_num_tokens_from_messages(other)


def test_blocks_of_thinking_are_read_too(load: Any) -> None:
    model = load(SEED)
    for block in ({"type": "thinking", "thinking": FIRST}, {"type": "reasoning", "reasoning": FIRST}):
        talk = [HumanMessage("hi"), AIMessage([block, {"type": "text", "text": "Yes."}]), HumanMessage("And now?")]
        assert f"<seed:think>{FIRST}</seed:think>Yes." in prompt_of(model, talk)


def test_the_next_prompt_begins_as_the_last_one_with_its_reply(load: Any) -> None:
    """Where the template keeps it all: nothing that was computed is computed again."""
    model = load(SEED)
    asked: list[BaseMessage] = [HumanMessage("hi")]
    reply = f"<seed:think>{FIRST}</seed:think>Yes.<seed:eos>"
    before = prompt_of(model, asked) + reply
    after = prompt_of(model, [*asked, thinking("Yes.", FIRST), HumanMessage("And now?")])
    assert after.startswith(before)


def test_an_answer_that_was_cut_goes_on_behind_what_was_thought(load: Any) -> None:
    """Whether the template opens the thinking or the model did."""
    talk = [HumanMessage("hi"), thinking("The sky", FIRST)]
    for end in ("", "<think>\n"):
        model = load("{% for m in messages %}{{ m.content }}\n{% endfor %}assistant: " + end + "{# </think> #}")
        assert prompt_of(model, talk).endswith(f"assistant: <think>\n{FIRST}\n</think>\n\nThe sky")
        assert model.get_num_tokens_from_messages(talk) == len(model._prompt(talk)[1])
    model = load(PLAIN)
    assert FIRST not in prompt_of(model, talk)
