"""Every way of marking thought: replies as those models write them, whole and cut at each place."""

import random

import pytest

from backends.thinking.formats import FORMATS, ThinkingFormat
from backends.thinking.reader import ThinkingReader, Thought

THOUGHT, ANSWER = "First I add.\n\nThen a < b, [so] <it> holds", "It is 4: `x <y`\n\nand [this]."
BY_NAME = {form.name: form for form in FORMATS}


def read(form: ThinkingFormat, pieces: list[str], *, is_open: bool = False) -> tuple[str, str]:
    """What was thought and what was answered; thinking never comes behind the answer."""
    reader = ThinkingReader(form, is_open=is_open)
    found = [piece for text in pieces for piece in reader.push(text)] + reader.close()
    thoughts = [isinstance(piece, Thought) for piece in found]
    assert thoughts == sorted(thoughts, reverse=True)
    return (
        "".join(piece.text for piece in found if isinstance(piece, Thought)),
        "".join(piece for piece in found if isinstance(piece, str)),
    )


def cut(text: str, seed: int) -> list[str]:
    """A text in pieces of one to five characters."""
    source, pieces = random.Random(seed), list[str]()
    while text:
        size = source.randint(1, 5)
        pieces, text = [*pieces, text[:size]], text[size:]
    return pieces


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@pytest.mark.parametrize("is_open", [False, True], ids=["marked", "opened by the prompt"])
def test_thinking_and_answer_are_told_apart_however_it_is_cut(form: ThinkingFormat, is_open: bool) -> None:
    for opening in form.openings:
        start = "" if is_open else opening
        for tail in ("", *form.tails):
            reply = f"{start}{THOUGHT}{form.closing}{ANSWER}{tail}"
            assert read(form, [reply], is_open=is_open) == (THOUGHT, ANSWER)
            for seed in range(20):
                assert read(form, cut(reply, seed), is_open=is_open) == (THOUGHT, ANSWER)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_reply_without_thinking_is_all_answer(form: ThinkingFormat) -> None:
    for text in (ANSWER, f"Some say {form.openings[0]} and {form.ending}", *(start + ANSWER for start in form.answers)):
        said = next((text[len(start) :] for start in form.answers if text.startswith(start)), text)
        assert read(form, cut(text, 1)) == ("", said)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_reply_that_ends_inside_the_thinking_has_no_answer(form: ThinkingFormat) -> None:
    assert read(form, cut(form.openings[0] + THOUGHT, 2)) == (THOUGHT, "")
    assert read(form, cut(THOUGHT, 2), is_open=True) == (THOUGHT, "")


def test_thinking_that_is_empty_leaves_the_answer() -> None:
    assert read(BY_NAME["think"], ["<think>\n\n</think>\n\n", "Hello"]) == ("", "Hello")


def test_a_mark_that_the_answer_spells_is_text() -> None:
    said = "Write <think>so</think> in HTML"
    assert read(BY_NAME["think"], cut(f"<think>plan</think>{said}", 3)) == ("plan", said)


def test_what_is_thought_in_two_messages_is_one_thinking() -> None:
    """As gpt-oss does."""
    second = "<|end|><|start|>assistant<|channel|>analysis<|message|>"
    reply = f"<|channel|>analysis<|message|>one.{second} two{BY_NAME['harmony'].closing}Yes"
    assert read(BY_NAME["harmony"], cut(reply, 4))[1] == "Yes"
    assert read(BY_NAME["harmony"], cut(reply, 4))[0].startswith("one.")


def test_pieces_come_as_soon_as_they_are_sure() -> None:
    reader = ThinkingReader(BY_NAME["think"])
    assert reader.push("<thi") == []
    assert reader.push("nk>a <b") == [Thought("a <b")]
    assert reader.push("</th") == []
    assert reader.push("en c") == [Thought("</then c")]
    assert reader.push(" </think>") == []
    assert reader.push("\n\nYes") == ["Yes"]
    assert reader.push(" <think") == [" <think"]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_thinking_that_goes_on_in_the_middle_keeps_its_first_blank(form: ThinkingFormat) -> None:
    reader = ThinkingReader(form, is_open=True, has_thought=True)
    found = [piece for text in cut(f" and so{form.closing}Yes", 5) for piece in reader.push(text)] + reader.close()
    assert "".join(piece.text for piece in found if isinstance(piece, Thought)) == " and so"
    assert "".join(piece for piece in found if isinstance(piece, str)) == "Yes"


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_reply_that_is_cut_within_the_marks_behind_its_thinking_has_no_answer(form: ThinkingFormat) -> None:
    """And a part of the mark is no thought: what goes on there would have it written twice."""
    for size in range(len(form.closing)):
        assert read(form, cut(THOUGHT + form.closing[:size], 6), is_open=True) == (THOUGHT, "")


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_what_opens_the_thinking_again_is_an_opening(form: ThinkingFormat) -> None:
    assert form.is_open(form.opening)
    assert read(form, [f"{form.opening}{THOUGHT}{form.closing}{ANSWER}"]) == (THOUGHT, ANSWER)
