"""Patterns of all texts but some names, against each short text there is."""

import re
from itertools import product
from typing import Any

import pytest

from backends.local.property_names import LONGEST, other_names, uncounted, with_spelled_names


@pytest.mark.parametrize(
    "names",
    [["a"], ["ab", "abc", "b"], ["", "a"], ["abca", "abcb", "c"], ["a b", "a.b", "a"], ["]", "^", "-", "a-c", "\\"]],
)
def test_every_text_but_the_names_fits(names: list[str]) -> None:
    pattern = re.sub(r"\\u\{(\w+)\}", lambda code: f"\\u{int(code[1], 16):04x}", other_names(names))
    texts = ["".join(letters) for length in range(5) for letters in product("abc .]^-\\", repeat=length)]
    assert [text for text in texts if not re.fullmatch(pattern, text)] == [text for text in texts if text in names]


def test_what_is_closed_or_has_patterns_or_says_nothing_stays() -> None:
    named: dict[str, Any] = {"properties": {"a": {}}}
    schemas: tuple[Any, ...] = (
        {**named, "additionalProperties": False},
        {**named, "patternProperties": {"^b": {}}},
        {**named, "allOf": [{}]},
        {"type": "object"},
        {"properties": {"a" * (LONGEST + 1): {}}},
        True,
    )
    for schema in schemas:
        assert with_spelled_names(schema) == schema


def test_what_others_are_said_to_be_they_still_have_to_be() -> None:
    inner = {"properties": {"a": {}}, "additionalProperties": {"type": "string"}}
    spelled = with_spelled_names({"items": inner})["items"]
    assert spelled["additionalProperties"] is False
    assert list(spelled["patternProperties"].values()) == [{"type": "string"}]
    assert "patternProperties" not in inner


def test_a_number_of_properties_counts_where_none_can_be_written_twice() -> None:
    assert list(uncounted({"items": {"minProperties": 3, "required": ["a"]}})) == ["#/items/minProperties"]
    assert list(uncounted({"minProperties": 2, "required": ["a"]})) == []
    assert list(uncounted({"minProperties": 3, "properties": {"a": {}}, "additionalProperties": False})) == []
