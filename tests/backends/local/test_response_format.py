"""Forms of replies as clients ask for them: which there are, where a keyword stands, which `oneOf` is an `anyOf`."""

import json
from typing import Any

import pytest

from backends.local.response_format import LONGEST, locate, take, with_disjoint_choices
from backends.local.sampling import UnsupportedOptionError

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"response_format": {"type": "json_object"}}, "json_schema"),
        ({"response_format": {"type": "json_object", "schema": SCHEMA}}, "json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}, "json_schema"),
        ({"response_format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}, "json_schema"),
        ({"structured_outputs": {"json": json.dumps(SCHEMA)}}, "json_schema"),
        ({"structured_outputs": {"json_object": True}}, "json_schema"),
        ({"structured_outputs": {"regex": "a+", "choice": None}}, "regex"),
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "choice"),
        ({"structured_outputs": {"grammar": 'start: "a"'}}, "grammar"),
        ({"response_format": {"type": "text"}, "structured_outputs": {"regex": "a"}}, "regex"),
    ],
)
def test_each_way_to_ask_for_a_form_is_known(options: dict[str, Any], kind: str) -> None:
    options["temperature"] = 1
    form = take(options)
    assert form is not None
    assert form.kind == kind
    assert options == {"temperature": 1}  # what is a form's own is taken out


def test_text_is_no_form() -> None:
    assert take({"response_format": {"type": "text"}}) is None
    assert take({}) is None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"response_format": {"type": "xml"}}, '"xml"'),
        ({"response_format": "json"}, "null"),
        ({"response_format": {"type": "json_schema"}}, "schema is missing"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": [1]}}}, "[1]"),
        ({"structured_outputs": {"json": "{"}}, "no JSON"),
        ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "one of"),
        ({"structured_outputs": {"choice": [1, 2]}}, "[1, 2]"),
        ({"structured_outputs": {"tokens": "x"}}, '{"tokens": "x"}'),
        ({"structured_outputs": {"regex": "a" * (LONGEST + 1)}}, "200,001"),
        ({"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}}, "two forms"),
    ],
)
def test_what_is_no_form_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(UnsupportedOptionError) as caught:
        take(dict(options))
    assert named in str(caught.value)
    assert caught.value.option in options


def test_a_keyword_is_found_where_it_is_one() -> None:
    schema = {"properties": {"not": {"type": "string"}, "b": {"items": {"anyOf": [{}, {"not": {}}]}}}}
    assert locate(schema, "not") == "#/properties/b/items/anyOf/1/not"
    assert locate(schema, "if") == "#"


def circle(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"kind": {"const": kind}, **more}, "required": ["kind"]}


@pytest.mark.parametrize(
    ("branches", "is_any"),
    [
        ([circle("a"), circle("b", r={"type": "number"})], True),
        ([circle("a"), circle("a")], False),
        ([{"type": "string"}, {"type": "null"}], True),
        ([{"type": "integer"}, {"type": "number"}], False),
        ([{"minimum": 1}, {"maximum": 5}], False),
        ([circle("a"), {"type": "object", "properties": {"kind": {"const": "b"}}}], False),  # it may lack the kind
    ],
)
def test_one_of_is_any_of_where_two_never_fit(branches: list[Any], is_any: bool) -> None:
    changed = with_disjoint_choices({"items": {"oneOf": branches}})
    assert changed == {"items": {"anyOf" if is_any else "oneOf": branches}}


def test_values_are_no_schemas() -> None:
    schema = {"const": {"oneOf": [{"type": "string"}, {"type": "null"}]}}
    assert with_disjoint_choices(schema) == schema
