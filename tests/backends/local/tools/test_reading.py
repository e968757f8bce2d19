"""Calls in texts of each format, whole and letter by letter; what only looks like a call stays text."""

import json
from typing import Any

import pytest

from backends.local.tools.formats import FORMATS, Form
from backends.local.tools.reading import CallPiece, CallReader, Piece

NAMES = ("add", "add_all", "search")
CALLS = [("add_all", '{"a": [1, {"b": "}]\\""}], "text": "<tool_call> \\\\"}'), ("search", "{}")]
FORMS = [(each.name, form) for each in FORMATS for form in each.forms]


def read(text: str, *forms: Form, step: int = 1) -> tuple[str, list[tuple[str, str]]]:
    """The text and the calls that are read, fed `step` letters at a time."""
    reader = CallReader(forms, NAMES)
    pieces: list[Piece] = []
    for start in range(0, len(text), step):
        pieces += reader.push(text[start : start + step])
    pieces += reader.close()
    calls: dict[int, list[Any]] = {}
    for piece in pieces:
        if isinstance(piece, CallPiece) and piece.name is not None:
            assert piece.place not in calls
            assert piece.id
            calls[piece.place] = [piece.name, ""]
        elif isinstance(piece, CallPiece):
            calls[piece.place][1] += piece.arguments
    said = "".join(piece for piece in pieces if isinstance(piece, str))
    return said, [(name, arguments) for name, arguments in calls.values()]


@pytest.mark.parametrize(("name", "form"), FORMS)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_calls_are_read_as_they_are_written(name: str, form: Form, step: int) -> None:
    calls = CALLS[:1] if form.is_single else CALLS
    assert read(form.write(calls), form, step=step) == ("", calls)


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, form in FORMS if form.opening])
def test_text_before_a_call_is_text(name: str, form: Form) -> None:
    said, calls = read("I will look < that up.\n\n" + form.write(CALLS[:1]), form)
    assert (said, calls) == ("I will look < that up.", CALLS[:1])


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_the_beginning_of_a_marker_alone_is_text(name: str, form: Form) -> None:
    opening = form.openings(NAMES)[0]
    for text in (opening[:-1], f"so {opening[:-1]} it", "a <b> [c] {d} | e"):
        assert read(text, form) == (text, [])


def test_a_call_in_the_middle_counts_only_by_a_marker() -> None:
    """Llama's calls have none: an answer that shows such JSON is an answer."""
    llama = next(each for each in FORMATS if each.name == "llama-3").forms
    shown = 'Like this: {"name": "add", "parameters": {}}'
    assert read(shown, *llama) == (shown, [])
    assert read('{"name": "other", "parameters": {}}', *llama) == ('{"name": "other", "parameters": {}}', [])
    assert read('\n{"name": "add", "parameters": {}}', *llama)[1] == [("add", "{}")]
    assert read('<|python_tag|>{"name": "add", "parameters": {}}', *llama)[1] == [("add", "{}")]


def test_a_call_that_was_cut_is_told_as_far_as_it_went() -> None:
    hermes = next(each for each in FORMATS if each.name == "hermes").forms
    whole = hermes[0].write(CALLS[:1])
    _, calls = read(whole[: whole.index("}]")], *hermes)
    assert calls[0][0] == "add_all"
    assert CALLS[0][1].startswith(calls[0][1])
    with pytest.raises(ValueError, match="line 1"):
        json.loads(calls[0][1])
