"""What clients send as tools and as a choice of one."""

from typing import Any

import pytest

from backends import UnsupportedOptionError
from backends.local.tools.offer import MOST_CALLS, take

ADD: Any = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
SEARCH: Any = {"type": "function", "function": {"name": "search", "description": "Search."}}


@pytest.mark.parametrize(
    ("choice", "mode", "names", "most"),
    [
        (None, "auto", ["add", "search"], MOST_CALLS),
        ("auto", "auto", ["add", "search"], MOST_CALLS),
        ("required", "required", ["add", "search"], MOST_CALLS),
        ("any", "required", ["add", "search"], MOST_CALLS),
        (True, "required", ["add", "search"], MOST_CALLS),
        ("search", "required", ["search"], 1),
        ({"type": "function", "function": {"name": "add"}}, "required", ["add"], 1),
        ({"type": "function", "name": "add"}, "required", ["add"], 1),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [SEARCH]}},
         "auto", ["search"], MOST_CALLS),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "add"}]},
         "required", ["add"], MOST_CALLS),
    ],
)  # fmt: skip
def test_a_choice_of_tools(choice: Any, mode: str, names: list[str], most: int) -> None:
    options: dict[str, Any] = {"tools": [ADD, SEARCH], "tool_choice": choice, "temperature": 1}
    offer = take(options)
    assert options == {"temperature": 1}
    assert offer is not None
    assert (offer.choice, [tool.name for tool in offer.callable], offer.most) == (mode, names, most)
    assert [tool.name for tool in offer.tools] == ["add", "search"]


def test_none_is_offered() -> None:
    assert take({"tools": [ADD], "tool_choice": "none"}) is None
    assert take({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}) is None
    one = take({"tools": [ADD], "parallel_tool_calls": False})
    assert one is not None
    assert one.most == 1


@pytest.mark.parametrize(
    ("options", "option", "named"),
    [
        ({"tools": [ADD, ADD]}, "tools", "add"),
        ({"tools": [ADD], "tool_choice": "nope"}, "tool_choice", "nope"),
        ({"tool_choice": "required"}, "tool_choice", "no tools"),
        ({"tools": [ADD], "tool_choice": {"type": "function"}}, "tool_choice", "function"),
        ({"tools": [ADD], "tool_choice": 3}, "tool_choice", "3"),
        ({"tools": "add"}, "tools", "list"),
        ({"tools": ["add"]}, "tools", "add"),
        ({"tools": [{"type": "web_search"}]}, "tools", "web_search"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools", "a b"),
        ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools", "name"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": [1]}}]}, "tools", "f.parameters"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"description": "x" * 300_000}}}]},
         "tools", "300"),
        ({"tools": [ADD] * 600}, "tools", "512"),
    ],
)  # fmt: skip
def test_what_is_no_tool_is_named(options: dict[str, Any], option: str, named: str) -> None:
    with pytest.raises(UnsupportedOptionError, match=named) as caught:
        take(dict(options))
    assert caught.value.option == option
    assert "\n" not in str(caught.value)
