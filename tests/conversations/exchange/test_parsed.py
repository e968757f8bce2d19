"""One bad conversation keeps no other out: it is named, and what can be mended is."""

import json
from pathlib import Path
from typing import Any

import pytest

from conversations.exchange import ExchangeError, export_all, import_all, json_chunks, parse
from tests.conversations.exchange.made import chain, document, node
from tests.conversations.talk import mine

GOOD: dict[str, Any] = {"id": "good", "title": "Good", "create_time": 5.0, "mapping": {"a": node(None, "fine")}}
NAN = '{"id": "bad", "mapping": {"a": {"weight": NaN}}}'
TWICE = '{"id": "bad", "mapping": {"a": {}, "a": {}}}'
DEEP = '{"id": "bad", "mapping": {"a": ' + '{"b":' * 50_000 + "1" + "}" * 50_000 + "}}"


def conversation(**fields: Any) -> dict[str, Any]:
    return {"id": "bad", "title": "Bad", "create_time": 7.0, "mapping": {"a": node(None, "words")}} | fields


def said(**fields: Any) -> dict[str, Any]:
    """A conversation with a message of these fields."""
    message = {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["words"]}} | fields
    return conversation(mapping={"a": {"message": message, "parent": None}})


def beside_good(text: str) -> bytes:
    return f"[{json.dumps(GOOD)}, {text}]".encode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("null", "conversation 2 is null, not an object"),
        ("7", "conversation 2 is 7, not an object"),
        ('"x"', "conversation 2 is 'x', not an object"),
        ("[]", "conversation 2 is a list, not an object"),
        (json.dumps(conversation(mapping=[1])), "conversation 2 ('Bad'): mapping: should be an object (a list)"),
        (
            json.dumps(conversation(mapping={"a": node("b"), "b": node("a")})),
            "conversation 2 ('Bad'): message 'a' is its own",
        ),
        (NAN, "conversation 2: it is not JSON: NaN is no number"),
        (TWICE, "conversation 2: it has 'a' twice in one object"),
        (DEEP, "conversation 2: it is nested too deep to be a chat"),
        ('{"id": "bad", }', "conversation 2: it is not JSON"),
        (
            f'{{"id": "bad", "create_time": 1{"0" * 5000}, "mapping": {{}}}}',
            "conversation 2: it is not JSON that can be read",
        ),
    ],
)
def test_one_that_cannot_be_taken_in_is_named(text: str, why: str) -> None:
    found = parse(beside_good(text), "x.json")
    assert [each["id"] for each in found] == ["good"]
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith(why)
    assert len(found.left_out[0].splitlines()) == 1


@pytest.mark.parametrize(
    "item",
    [
        said(author=None),
        said(author={}),
        said(author={"role": None}),
        said(author={"role": ["user"]}),
        said(author="user"),
        said(create_time="2026-05-28T00:00:00Z"),
        said(create_time=-5),
        said(create_time=True),
        said(create_time=[1]),
        said(create_time=1e300),
        said(metadata=[1]),
        said(metadata="x"),
        said(metadata={"attachments": {"a": 1}, "finish_details": "stop", "model_slug": 4}),
        said(metadata={"attachments": [None, 5, {"id": 3}]}),
        said(status=5, recipient=7, channel=[1], weight="x", end_turn=3),
        said(content="words"),
        said(content=["words"]),
        said(content={"parts": ["words"]}),
        conversation(title=5),
        conversation(title=["a"]),
        conversation(create_time="2026-05-28T00:00:00Z"),
        conversation(create_time="yesterday"),
        conversation(create_time=-5.5),
        conversation(create_time=10**400),
        conversation(update_time={"a": 1}),
        conversation(id=5, conversation_id=None),
        conversation(is_starred="yes", is_archived=7),
        conversation(current_node=9),
        conversation(current_node="nowhere"),
        conversation(mapping={"a": node("nobody", "words")}),
        conversation(mapping={"a": node(None, "words") | {"parent": 7}}),
        conversation(mapping={"a": node(None, "words", children="none")}),
        conversation(mapping={"a": node(None, "words", children=[1, None, "b"]), "b": None, "c": 5, "d": []}),
        conversation(mapping={"a": {"message": "words", "parent": None}}),
        conversation(extra_field={"a": [1, {"b": None}]}),
    ],
)
def test_fields_of_another_type_keep_no_message_out(item: dict[str, Any]) -> None:
    store, found = mine(), parse(json.dumps([item, GOOD]).encode(), "x.json")
    assert (len(found), found.left_out, found.empty) == (2, [], 0)
    assert any("words" in message["text"] for message in found[0]["messages"])
    import_all(store, found)
    written = "".join(json_chunks(export_all(store))).encode()
    assert sorted(parse(written, "x.json"), key=lambda c: c["id"]) == sorted(found, key=lambda c: c["id"])
    assert len(import_all(store, parse(written, "x.json")).skipped) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", ["a"]), ("create_time", "yesterday"), ("create_time", -5), ("is_archived", "perhaps"), ("gizmo_id", 5)],
)
def test_what_is_of_another_type_is_kept_beside(field: str, value: Any) -> None:
    [found] = parse(json.dumps([conversation(**{field: value})]).encode(), "x.json")
    assert found["extra"][field] == value


def test_a_date_is_a_time() -> None:
    times = ("2026-05-28T02:00:00+02:00", "2026-05-28T00:00:00Z", "2026-05-28 00:00:00", "1779926400", 1779926400000)
    found = parse(json.dumps([conversation(id=str(n), create_time=t) for n, t in enumerate(times)]).encode(), "x")
    assert [each["created"] for each in found] == [1779926400.0] * len(times)


def test_where_a_conversation_has_no_time_its_messages_have() -> None:
    mapping = {"a": node(None), "b": node("a")}
    mapping["a"]["message"]["create_time"], mapping["b"]["message"]["create_time"] = 50.0, 60.0
    [found] = parse(json.dumps([conversation(create_time=None, update_time=None, mapping=mapping)]).encode(), "x")
    assert (found["created"], found["updated"]) == (50.0, 60.0)


def test_empty_ones_are_counted() -> None:
    empty = [{"title": "no mapping"}, conversation(mapping={}), conversation(mapping={"a": {"message": None}})]
    found = parse(json.dumps([*empty, GOOD]).encode(), "x.json")
    assert (len(found), found.left_out, found.empty) == (1, [], 3)
    assert parse(json.dumps(empty[1:]).encode(), "x.json").empty == 2


def test_a_file_with_nothing_but_bad_ones_is_refused() -> None:
    bad = json.dumps([conversation(mapping=[1]), None, 7]).encode()
    why = r"^x\.json: conversation 1 \('Bad'\): mapping: should be an object \(a list\); 2 more like it$"
    with pytest.raises(ExchangeError, match=why):
        parse(bad, "x.json")


def test_one_of_ours_that_is_wrong_keeps_no_other_out() -> None:
    wrong = chain(2, id="wrong", title="Soup") | {"pinned": "no"}
    found = parse(document(chain(3, id="fine"), wrong, chain(1, id="last")), "x.json")
    assert [each["id"] for each in found] == ["fine", "last"]
    assert found.left_out == ["conversation 2 ('Soup'): pinned: Input should be a valid boolean ('no')"]


@pytest.mark.usefixtures("database_url")
def test_two_of_one_id_are_both_kept() -> None:
    store = mine()
    report = import_all(store, parse(document(chain(2, id="one"), chain(3, id="one")), "x.json"))
    assert (len(report.added), len(report.renamed)) == (2, 1)
    assert len(store.listing()) == 2


@pytest.mark.parametrize("between", ["\n", "\n\n", "\r\n", "\n\ufeff", "\n  \n"])
def test_a_conversation_a_line(between: str) -> None:
    lines = [json.dumps(conversation(id=str(n))) for n in range(3)]
    found = parse(between.join(lines).encode() + b"\n", "x.jsonl")
    assert [each["id"] for each in found] == ["0", "1", "2"]


def test_a_line_that_is_cut_is_named() -> None:
    found = parse(f"{json.dumps(GOOD)}\n{json.dumps(conversation())[:-9]}\n".encode(), "x.jsonl")
    assert (len(found), found.left_out) == (
        1,
        ["conversation 2: it ends in the middle: it was cut short, get it once more"],
    )


def test_a_list_that_is_cut_is_refused() -> None:
    with pytest.raises(ExchangeError, match="it ends in the middle: it was cut short, get it once more"):
        parse(json.dumps([GOOD, conversation()]).encode()[:-4], "x.json")


def test_what_is_left_out_of_a_long_list_is_counted_from_its_beginning(tmp_path: Path) -> None:
    items = [conversation(id=str(n), mapping={"a": node(None, f"text {n}")}) for n in range(40)]
    found = parse(json.dumps([*items, None, *items[:3], 7]).encode(), "x.json")
    assert found.left_out == ["conversation 41 is null, not an object", "conversation 45 is 7, not an object"]


@pytest.mark.parametrize("name", ["conversations", "chats", "data"])
def test_a_list_in_an_object(name: str) -> None:
    assert [each["id"] for each in parse(json.dumps({"user": {}, name: [GOOD]}).encode(), "x")] == ["good"]


def test_a_web_page_is_said_as_such() -> None:
    with pytest.raises(ExchangeError, match=r"^chat\.html: it is a web page, for reading only: import the export's"):
        parse(b"<html><body></body></html>", "chat.html")
