"""What ChatGPT exports becomes ours, and lasts."""

import io
import json
import zipfile
from typing import Any

import pytest

from conversations.exchange import ExchangeError, export_conversation, import_all, parse, parse_file
from tests.conversations.exchange.made import FIXTURES, chatgpt, node
from tests.conversations.talk import mine, texts

SOUP = "6553f100-0000-4000-8000-000000000001"


@pytest.fixture
def soup() -> dict[str, Any]:
    """The conversation of the fixture that has everything."""
    return parse_file(FIXTURES / "chatgpt.json")[0]


def test_what_is_beside_the_messages(soup: dict[str, Any]) -> None:
    assert (soup["id"], soup["title"], soup["pinned"], soup["extra"]) == (
        SOUP,
        "Soup for four",
        True,
        {"source": "chatgpt", "default_model_slug": "gpt-4o"},
    )
    assert (soup["created"], soup["updated"]) == (1700000000.25, 1700000900.5)
    assert soup["system"] == "I cook for four.\n\nUse grams."


def test_every_branch_and_role_is_kept(soup: dict[str, Any]) -> None:
    assert [(m["parent"], m["role"], m["text"]) for m in soup["messages"]] == [
        (None, "user", "What soup can I make of this?"),
        (0, "assistant", "Leek soup."),
        (0, "tool", "```python\nprint(4 * 250)\n```"),
        (2, "tool", "```\n1000\n```"),
        (3, "assistant", "A kilo of\npotatoes."),
        (None, "user", "[image: file_777]"),
        (5, "assistant", "Pea soup."),
    ]
    assert soup["head"] == 4
    assert [m["thinking"] for m in soup["messages"] if "thinking" in m] == ["Weighing\nHow much per head?"]
    assert soup["messages"][4]["thinking"]


def test_images_are_names(soup: dict[str, Any]) -> None:
    image = {"kind": "image", "name": "fridge.jpg", "id": "file-abc"}
    pdf = {"kind": "file", "name": "prices.pdf", "id": "file-def"}
    assert soup["messages"][0]["extra"] == {"attachments": [image, pdf]}
    assert soup["messages"][5]["extra"] == {"attachments": [{"kind": "image", "name": "file_777"}]}


def test_model_state_and_time(soup: dict[str, Any]) -> None:
    said = soup["messages"]
    assert [(m["model"], m["state"], m["stop_reason"]) for m in (said[1], said[4], said[6])] == [
        ("gpt-4o", "done", "stop"),
        ("gpt-4o", "stopped", "interrupted"),
        (None, "interrupted", None),
    ]
    assert said[6]["created"] == said[5]["created"] == 1700000008.0
    assert said[3]["extra"] == {"name": "python"}


def test_one_without_messages_is_left_out_and_an_unknown_end_is_the_newest() -> None:
    found = parse_file(FIXTURES / "chatgpt.json")
    assert [c["title"] for c in found] == ["Soup for four", "Name a herb that grows in shade."]
    assert [m["parent"] for m in found[1]["messages"]] == [None, 0]
    assert (found[1]["head"], found[1]["updated"]) == (1, 1700002002.0)


@pytest.mark.usefixtures("database_url")
def test_it_lasts_and_is_there_once() -> None:
    store, found = mine(), parse_file(FIXTURES / "chatgpt.json")
    assert len(import_all(store, found).added) == 2
    assert export_conversation(store, SOUP) == found[0]
    assert texts(store, SOUP)[-1] == "A kilo of\npotatoes."
    assert len(import_all(store, parse_file(FIXTURES / "chatgpt.json")).skipped) == 2


@pytest.mark.parametrize("names", [["conversations.json"], ["x/conversations-000.json", "x/conversations-001.json"]])
def test_the_zip_it_comes_in(names: list[str]) -> None:
    items = json.loads((FIXTURES / "chatgpt.json").read_text())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, name in enumerate(names):
            part = items if len(names) == 1 else items[2 * place : 2 * place + 2]
            archive.writestr(name, json.dumps(part))
        archive.writestr("user.json", "{}")
        archive.writestr("__MACOSX/conversations.json", "rubbish")
    assert parse(packed.getvalue(), "export.zip") == parse_file(FIXTURES / "chatgpt.json")


def test_times_in_milliseconds() -> None:
    found = parse(chatgpt({"a": node(None)}, create_time=1700000000123, update_time=1700000000123456), "x")[0]
    assert (found["created"], found["updated"]) == (1700000000.123, 1700000000.123456)


def test_two_beginnings_are_branches() -> None:
    found = parse(chatgpt({"a": node(None, "one"), "b": node("not there", "two")}), "x")[0]
    assert [(m["text"], m["parent"]) for m in found["messages"]] == [("one", None), ("two", None)]


def test_children_stand_in_their_parents_order() -> None:
    mapping = {"a": node(None, children=["c", "b"]), "b": node("a", "second"), "c": node("a", "first")}
    assert [m["text"] for m in parse(chatgpt(mapping), "x")[0]["messages"]] == ["hi", "first", "second"]


def test_a_long_chain() -> None:
    mapping = {str(n): node(str(n - 1) if n else None, f"text {n}") for n in range(3000)}
    found = parse(chatgpt(mapping), "x")[0]
    assert [m["parent"] for m in found["messages"]] == [None, *range(2999)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (chatgpt({"a": node("b"), "b": node("a"), "c": node(None)}), "message 'a' is its own ancestor"),
        (chatgpt({"a": node("a", children=["a"])}), "message 'a' is its own ancestor"),
        (chatgpt([]), None),
        (chatgpt("none"), r"mapping: should be an object \('none'\)"),
        (json.dumps([{"mapping": {}}, {"mapping": 7}]).encode(), None),
    ],
)
def test_a_file_with_nothing_to_import(data: bytes, why: str | None) -> None:
    if why is None:
        assert parse(data, "export.json") == []
        return
    with pytest.raises(ExchangeError, match=f"^export.json: conversation 1 \\('t'\\): {why}$") as caught:
        parse(data, "export.json")
    assert len(str(caught.value).splitlines()) == 1
