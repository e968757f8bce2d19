"""Responses that are kept: by owner, one after the other, for a while; on SQLite and on PostgreSQL."""

import os
from typing import Any

import pytest
from sqlalchemy import func, select, update

from conversations.store import NotFoundError, Store, connect, responses
from conversations.store.responses import History, Item
from conversations.store.schema import ResponseItem, StoredResponse

ODD = 'a "b" \x00 \\ é 😀 \u2028 {{ }}'


def store(owner: str = "me") -> Store:
    return Store(connect(os.environ["DATABASE_URL"]), owner)


def said(text: str, number: str) -> dict[str, Any]:
    return {"id": number, "type": "message", "text": text}


def kept(name: str, before: str | None = None, owner: str = "me", days: float = 30) -> str:
    """A response of one question and one answer; its id."""
    own = store(owner)
    history = responses.load_history(own, before) if before else History()
    asked, answered = said(f"ask {name}", f"msg_{name}_in"), said(f"answer {name}", f"msg_{name}_out")
    body = {"id": f"resp_{name}", "text": ODD}
    responses.save(own, body["id"], body, [Item(asked, True)], [Item(answered, True)], history=history, days=days)
    return body["id"]


def expire(*names: str) -> None:
    with store().database.writing() as session:
        session.execute(update(StoredResponse).where(StoredResponse.id.in_(names)).values(expires=1.0))


def count(table: type[StoredResponse | ResponseItem]) -> int:
    with store().database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_what_is_kept_is_found_as_it_was(database_url: str) -> None:
    name = kept("a")
    assert responses.get(store(), name).body == {"id": name, "text": ODD}
    assert responses.input_items(store(), name) == [said("ask a", "msg_a_in")]
    assert responses.find_items(store(), ["msg_a_out", "msg_b"]) == {"msg_a_out": said("answer a", "msg_a_out")}


def test_one_goes_on_from_the_other(database_url: str) -> None:
    last = kept("c", kept("b", kept("a")))
    kept("elsewhere", "resp_a")
    history = responses.load_history(store(), last)
    assert history.ids == ["resp_c", "resp_b", "resp_a"]
    assert [item["text"] for item in history.items] == [f"{kind} {n}" for n in "abc" for kind in ("ask", "answer")]


def test_a_long_chain_is_read_at_once(database_url: str) -> None:
    last = kept("0")
    for number in range(1, 60):
        last = kept(str(number), last)
    assert len(responses.load_history(store(), last).items) == 120


def test_nobody_finds_what_is_another_ones(database_url: str) -> None:
    name = kept("a")
    other = store("other")
    for ask in (responses.get, responses.input_items, responses.remove, responses.load_history):
        with pytest.raises(NotFoundError, match="Response with id 'resp_a' not found"):
            ask(other, name)
    assert responses.find_items(other, ["msg_a_out"]) == {}
    assert responses.get(store(), name).body["id"] == name


def test_an_item_whose_id_its_client_made_up_is_found_by_nobody(database_url: str) -> None:
    mine = Item(said("x", "msg_1"), is_ours=False)
    responses.save(store(), "resp_x", {}, [mine], [], history=History(), days=1)
    assert responses.find_items(store(), ["msg_1"]) == {}
    assert responses.input_items(store(), "resp_x") == [mine.value]


def test_nothing_goes_on_from_what_was_deleted(database_url: str) -> None:
    last = kept("c", kept("b", kept("a")))
    responses.remove(store(), "resp_b")
    with pytest.raises(NotFoundError, match="'resp_b' not found"):
        responses.load_history(store(), last)
    with pytest.raises(NotFoundError):
        responses.get(store(), "resp_b")
    assert count(ResponseItem) == 4


def test_what_has_expired_is_gone(database_url: str) -> None:
    name = kept("a")
    expire(name)
    with pytest.raises(NotFoundError):
        responses.get(store(), name)
    assert responses.find_items(store(), ["msg_a_out"]) == {}
    kept("b")
    assert (count(StoredResponse), count(ResponseItem)) == (1, 2)


def test_what_has_expired_goes_at_the_start_too(database_url: str) -> None:
    kept("b", kept("a"))
    expire("resp_a")
    responses.purge(store().database)
    assert (count(StoredResponse), count(ResponseItem)) == (1, 2)


def test_who_goes_on_keeps_what_was_before(database_url: str) -> None:
    kept("b", kept("a", days=1), days=1)
    kept("alone", days=1)
    kept("c", "resp_b", days=30)
    with store().database.reading() as session:
        rows = session.execute(select(StoredResponse.id, StoredResponse.expires - StoredResponse.created))
        lives = {name: round(seconds / responses.DAY) for name, seconds in rows}
    assert lives == {"resp_a": 30, "resp_b": 30, "resp_c": 30, "resp_alone": 1}
