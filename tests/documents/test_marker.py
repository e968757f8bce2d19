"""Markers in replies: what names a passage, and what only looks so."""

import pytest

from documents.marker import Marker, find_markers

FOUND = {
    "behind a sentence": ("She kept the lamp [1].", [("[1]", (1,))]),
    "behind the full stop": ("She kept the lamp. [2]", [("[2]", (2,))]),
    "directly behind the full stop": ("She kept the lamp.[2] Then", [("[2]", (2,))]),
    "directly behind a word": ("She kept the lamp[2] and left", [("[2]", (2,))]),
    "behind a year": ("It was 1871[1].", [("[1]", (1,))]),
    "behind a decimal number": ("It cost 2.5[1].", [("[1]", (1,))]),
    "behind capitals": ("It is NASA[3].", [("[3]", (3,))]),
    "behind a bracket": ("The keeper (Ingrid)[1] left", [("[1]", (1,))]),
    "behind an exclamation mark": ("So it was![1]", [("[1]", (1,))]),
    "at the beginning": ("[1] says so", [("[1]", (1,))]),
    "the text alone": ("[3]", [("[3]", (3,))]),
    "two in a row": ("Both say so [1][2].", [("[1]", (1,)), ("[2]", (2,))]),
    "two in a row behind a word": ("Both say so[1][2].", [("[1]", (1,)), ("[2]", (2,))]),
    "two with a space": ("Both say so [1] [2].", [("[1]", (1,)), ("[2]", (2,))]),
    "a list": ("All say so [1, 2].", [("[1, 2]", (1, 2))]),
    "a list without spaces": ("All say so [1,3].", [("[1,3]", (1, 3))]),
    "a list with a semicolon": ("All say so [1; 3].", [("[1; 3]", (1, 3))]),
    "a list with and": ("All say so [1 and 3].", [("[1 and 3]", (1, 3))]),
    "a list with comma and and": ("All say so [1, 2, and 3].", [("[1, 2, and 3]", (1, 2, 3))]),
    "a range": ("All say so [1-3].", [("[1-3]", (1, 2, 3))]),
    "a range with a dash": ("All say so [2–3].", [("[2–3]", (2, 3))]),
    "a range and a number": ("All say so [1, 2-3].", [("[1, 2-3]", (1, 2, 3))]),
    "a number twice": ("All say so [2, 2].", [("[2, 2]", (2,))]),
    "in bold": ("**She did [1]**", [("[1]", (1,))]),
    "in a list's item": ("- one [1]\n- two [2]", [("[1]", (1,)), ("[2]", (2,))]),
    "in a heading": ("# The lamp [1]\n\ntext", [("[1]", (1,))]),
    "in a table": ("| a | b |\n|---|---|\n| lamp [1] | oil [2] |", [("[1]", (1,)), ("[2]", (2,))]),
    "in a quotation": ("> the lamp [1]", [("[1]", (1,))]),
    "in round brackets": ("She did (see [1]).", [("[1]", (1,))]),
    "double brackets": ("She did [[1]].", [("[1]", (1,))]),
    "a note in brackets behind it": ("She did [1] (on page 7).", [("[1]", (1,))]),
    "a colon behind it": ("[1]: the keeper was ill", [("[1]", (1,))]),
    "Japanese": ("灯台は1871年に建てられた[1]。", [("[1]", (1,))]),
    "Chinese brackets": ("灯塔建于1871年【2】。", [("【2】", (2,))]),
    "ChatGPT's old mark": ("She did【1†source】.", [("【1†source】", (1,))]),
    "after code": ("`lamp` [1]", [("[1]", (1,))]),
    "after a fence": ("```\na[1]\n```\nShe did [2].", [("[2]", (2,))]),
    "after an odd backtick": ("a ` b [1]\n\nc ` d [2]", [("[1]", (1,)), ("[2]", (2,))]),
    "between prices": ("It cost $5 [1] and later $6 [2].", [("[1]", (1,)), ("[2]", (2,))]),
    "beside a link": ("See [the page](http://a.b/[1]) [2]", [("[2]", (2,))]),
    "a growing reply": ("She did [1]. And [2", [("[1]", (1,))]),
}
LEFT = {
    "beyond what was given": "She did [4].",
    "zero": "She did [0].",
    "leading zero": "She did [01].",
    "a year": "In [1871] it was.",
    "a range beyond": "She did [2-9].",
    "a range backwards": "She did [3-1].",
    "a fenced block": "```python\nx = lamp[1]\nprint([1])\n```",
    "a fence that is still growing": "```\nlist [1]",
    "a tilde fence": "~~~\n[1]\n~~~",
    "an indented block": "text\n\n    see [1]\n",
    "a code span": "Write `[1]` there",
    "a code span of two ticks": "Write ``a ` [1]`` there",
    "a link": "Read [1](http://example.org)",
    "a link's text": "Read [page [1] of it](http://example.org)",
    "a picture": "![1](http://example.org/a.png)",
    "a reference with its definition": "Read [1].\n\n[1]: http://example.org",
    "a footnote": "She did[^1].\n\n[^1]: so it is",
    "an index": "Take a[1] of it",
    "an index of two": "Take grid[0][1] of it",
    "an index of a name": "Take my_list[1] of it",
    "an index of a dotted name": "Take sys.argv[1] now",
    "an index of a camel's name": "Take lampList[1] now",
    "an index of a call": "Take f(x)[1] now",
    "an index with an assignment": "lamps[1] = 5",
    "an index with a field": "lamps[1].oil",
    "a list of numbers": "x = [1, 2]",
    "an interval": "in the interval [1, 2] it is",
    "escaped": r"She did \[1\].",
    "a formula": r"So \(x[1] + y[2]\) is",
    "a formula in dollars": "So $x[1]$ is",
    "a displayed formula": "So $$x [1]$$ is",
    "an HTML tag": '<a title="[1]">x</a>',
    "an address": "http://example.org/?a=[1]",
    "a word behind it": "the [1]st of May",
    "words in brackets": "She did [one] and [1 of 2].",
    "a task": "- [ ] one\n- [x] two",
    "a directive": "a :red[1] word",
    "round brackets": "She did (1).",
    "open": "She did [1",
}


@pytest.mark.parametrize("name", FOUND)
def test_markers_are_found_where_they_stand(name: str) -> None:
    text, expected = FOUND[name]
    assert [(text[m.start : m.end], m.numbers) for m in find_markers(text, 3)] == expected


@pytest.mark.parametrize("name", LEFT)
def test_what_names_no_passage_is_left_alone(name: str) -> None:
    assert find_markers(LEFT[name], 3) == []


def test_of_a_list_those_beyond_are_named_apart() -> None:
    assert find_markers("So [1, 9, 2].", 3) == [Marker(3, 12, (1, 2), (9,))]
    assert find_markers("So [1].", 0) == []


def test_a_long_text_of_brackets_takes_no_long_time() -> None:
    for text in (
        "[1" * 20_000,
        "[" * 20_000,
        "$" * 20_000,
        "[1]" * 20_000,
        "【1†" * 20_000,
        "`[1]" * 5_000,
        "<a " * 9_000,
    ):
        find_markers(text, 3)
