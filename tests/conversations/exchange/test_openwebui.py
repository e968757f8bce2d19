"""What Open WebUI exports becomes ours, and lasts."""

import json
import time
from typing import Any

import pytest

from conversations.exchange import (
    ExchangeError,
    export_conversation,
    import_all,
    import_conversation,
    parse,
    parse_file,
)
from tests.conversations.exchange.made import FIXTURES
from tests.conversations.talk import mine, texts

BIRD = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def bird() -> dict[str, Any]:
    """The conversation of the fixture that has everything."""
    return parse_file(FIXTURES / "openwebui.json")[0]


def chat(**messages: dict[str, Any]) -> bytes:
    return json.dumps([{"id": "x", "chat": {"history": {"messages": messages}}}]).encode()


def test_what_is_beside_the_messages(bird: dict[str, Any]) -> None:
    assert (bird["id"], bird["title"], bird["pinned"]) == (BIRD, "Bird at the window", True)
    assert (bird["created"], bird["updated"], bird["head"]) == (1710000000, 1710000006, 5)
    assert bird["system"] == "You know birds.\n\nAnswer in one line."


def test_every_branch_and_role_is_kept(bird: dict[str, Any]) -> None:
    assert [(m["parent"], m["role"], m["text"], m["model"]) for m in bird["messages"]] == [
        (None, "user", "Which bird is this?", None),
        (0, "assistant", "A robin.", "llama3.2:3b"),
        (0, "assistant", "A wren.", "qwen3:8b"),
        (2, "user", "And this one?", None),
        (3, "tool", '{"species": "wren"}', None),
        (4, "assistant", "", "qwen3:8b"),
    ]


def test_what_stands_beside_a_message(bird: dict[str, Any]) -> None:
    question, robin, wren, second, _, failed = bird["messages"]
    assert question["extra"]["attachments"] == [{"kind": "file", "name": "notes.txt"}]
    assert question["extra"]["models"] == ["llama3.2:3b", "qwen3:8b"]
    assert [each["pictures"][0]["data"] for each in (question, second)] == ["iVBORw0KGgo=", "iVBORw0KGgo="]
    assert second["extra"] is None
    assert (robin["prompt_tokens"], robin["completion_tokens"], robin["counted"]) == (31, 4, True)
    assert robin["feedback"] == {"value": -1, "comment": "It was a wren.", "created": 1710000002}
    assert (wren["thinking"], wren["thinking_ms"], wren["extra"]) == ("small, brown", 2000.0, None)
    assert (failed["state"], failed["error"]) == ("failed", "the model is not loaded")
    assert failed["extra"]["tool_calls"][0]["function"]["name"] == "look"
    assert "base64" not in json.dumps(bird)


def test_an_older_chat_is_a_plain_list() -> None:
    old = parse_file(FIXTURES / "openwebui.json")[1]
    assert (old["id"], old["title"], old["system"], old["head"]) == ("old", "An older chat", "Be short.", 1)
    assert old["created"] == 1690000000.456
    assert [(m["parent"], m["text"]) for m in old["messages"]] == [(None, "What is a fjord?"), (0, "A drowned valley.")]


def without_pictures(conversation: dict[str, Any]) -> dict[str, Any]:
    """Those of the fixture are cut short, so they are left out."""
    messages = [{n: v for n, v in m.items() if n != "pictures"} for m in conversation["messages"]]
    return {**conversation, "messages": messages}


@pytest.mark.server  # a process of its own unpacks pictures
@pytest.mark.usefixtures("database_url")
def test_it_lasts_and_is_there_once() -> None:
    store, found = mine(), parse_file(FIXTURES / "openwebui.json")
    import_all(store, found)
    assert [export_conversation(store, c["id"]) for c in found] == [without_pictures(c) for c in found]
    assert texts(store, BIRD)[1] == "A wren."
    assert len(import_all(store, found).skipped) == 2


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("ours", ["soup", ""])
def test_what_an_earlier_version_took_in_with_blanks_is_there_once(ours: str) -> None:
    store, title, prompts = mine(), " Soup", ["You cook. \n", "Be brief.\n"]
    messages = [{"role": "user", "content": "Leeks?", "timestamp": 5}]
    inner = {"title": title, "messages": messages, "params": {"system": prompts[0]}, "system": prompts[1]}
    file = json.dumps([{"id": ours, "created_at": 4, "updated_at": 6, "chat": inner}]).encode()
    earlier = {**parse(file, "x.json")[0], "id": ours, "title": title, "system": "\n\n".join(prompts)}
    identity = import_conversation(store, earlier)
    assert import_all(store, parse(file, "x.json")).skipped == [identity]
    store.update(identity, title="Dinner")
    [renamed] = import_all(store, [earlier]).added  # under an id that is made of what it holds
    assert import_all(store, parse(file, "x.json")).skipped == [renamed]
    store.update(renamed, system="Be verbose.")
    assert len(import_all(store, parse(file, "x.json")).added) == 1, "both have changed"


def test_one_chat_without_a_list_around_it() -> None:
    items = json.loads((FIXTURES / "openwebui.json").read_text())
    assert parse(json.dumps(items[0]).encode(), "one.json") == parse_file(FIXTURES / "openwebui.json")[:1]


def test_only_output_and_an_image_by_its_address() -> None:
    said = [{"type": "message", "content": [{"type": "output_text", "text": "A wren."}]}, "odd"]
    image = [{"type": "image_url", "image_url": {"url": "https://example.org/a/wren.png"}}]
    found = parse(
        chat(a={"role": "user", "content": image}, b={"parentId": "a", "role": "assistant", "output": said}), "x"
    )
    assert [m["text"] for m in found[0]["messages"]] == ["[image: wren.png]", "A wren."]


def test_remains_of_messages_are_left_out() -> None:
    data = chat(
        a={"role": "user", "content": "one", "childrenIds": ["b", None]},
        b={"parentId": "a", "usage": {}},
        c={"parentId": "b", "role": "user", "content": "two"},
        d={"parentId": "c", "content": "three"},
    )
    found = parse(data, "x")[0]["messages"]
    assert [(m["parent"], m["role"], m["text"]) for m in found] == [
        (None, "user", "one"),
        (0, "user", "two"),
        (1, "assistant", "three"),
    ]


def test_an_id_that_cannot_be_ours_is_replaced() -> None:
    found = [
        parse(json.dumps({"id": i, "chat": {"messages": [{"role": "user", "content": "hi"}]}}).encode(), "x")[0]
        for i in ("a:b", "", None)
    ]
    assert len({c["id"] for c in found}) == 1
    assert len(found[0]["id"]) == 22


def test_a_person_who_writes_details_keeps_them() -> None:
    typed = '<details type="reasoning">x</details>'
    assert parse(chat(a={"role": "user", "content": typed}), "x")[0]["messages"][0]["text"] == typed


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (chat(a={"role": "user", "parentId": "b"}, b={"role": "user", "parentId": "a"}), "'a' is its own ancestor"),
        (b'[{"chat": 5}]', r"chat: .*\(5\)"),
        (b'[{"chat": {"history": {"messages": 5}}}]', r"chat\.history\.messages: .*\(5\)"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, why: str) -> None:
    with pytest.raises(ExchangeError, match=f"^export.json: conversation 1: .*{why}") as caught:
        parse(data, "export.json")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("opened", ['<details type="reasoning">', '<details type="reasoning"'])
def test_blocks_that_are_never_closed_are_text_and_take_no_time(opened: str) -> None:
    text = opened * 20_000
    begun = time.monotonic()
    [found] = parse(chat(a={"id": "a", "role": "assistant", "content": text}), "x.json")
    assert time.monotonic() - begun < 3
    assert found["messages"][0]["text"] == text
