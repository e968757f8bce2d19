"""Search in what tools were given and answered, on both databases."""

from typing import Any

import pytest
from sqlalchemy import text, update

from conversations.store import calls, search
from conversations.store.schema import CallStatus, Message, ToolCall
from conversations.store.search import search_conversations
from conversations.store.store import Store
from tests.conversations.store.test_search import hits, keep
from tests.conversations.talk import mine

pytestmark = pytest.mark.usefixtures("database_url")


def called(store: Store, identity: str, arguments: str, result: str | None = None, **fields: Any) -> int:
    """The number of a call in the last message of a conversation."""
    made = {"step": 0, "position": 0, "call_id": "call_0", "name": "read_page", "asked": 1.0, "status": "running"}
    with store.database.writing() as session:
        head = store.conversation_row(session, identity).head
        row = ToolCall(message_id=head, arguments=arguments, result=result, **{**made, **fields})
        session.add(row)
        session.flush()
        return row.id


def test_calls_are_found_by_what_tools_were_given_and_answered() -> None:
    store = mine()
    identity = keep(store, "Is it open?", "I looked.", title="Harbour")
    keep(store, "another one")
    number = called(store, identity, '{"url": "https://example.org/Häfen", "note": "first\\nsecond"}')
    assert hits("example hafen") == hits("second") == [identity], "while it runs its arguments are"
    calls.finish(store.database, number, CallStatus.DONE, "Closed on Mondays. 月曜日は休み")
    for words in ("mondays", "example mondays", "休み", "closed 月曜日"):
        assert hits(words) == [identity], words
    for words in ("looked mondays", "harbour mondays", "nsecond", "call"):
        assert hits(words) == [], f"{words}: not in one message, call or title"
    (hit,) = search_conversations(store, "mondays")
    assert hit.message_id == store.get(identity).head
    assert hit.snippet.startswith("read_page: ")
    assert "Closed on Mondays." in hit.snippet
    assert search_conversations(store, "looked")[0].snippet == "I looked."


def test_calls_are_found_by_their_owner_as_long_as_they_are_there() -> None:
    store = mine("anna")
    identity = keep(store, "look", "done")
    called(store, identity, "{}", "the secret harbour", status="done")
    assert hits("secret", store) == [identity]
    assert hits("secret", mine("bert")) == []
    with store.database.writing() as session:
        session.execute(update(Message).values(extra={"hidden": True}))
    assert hits("secret", store) == [], "nor of a hidden message"
    store.delete(identity)
    if store.database.sqlite:
        with store.database.writing() as session:
            session.execute(text("INSERT INTO call_text(call_text, rank) VALUES ('integrity-check', 1)"))


def test_a_list_is_filled_by_calls_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "COMMON_WORD", 3)
    monkeypatch.setattr(search, "NEWEST_CONVERSATIONS", 1)
    made = [keep(mine(), "an owl" if number % 2 else "a bird") for number in range(6)]
    for identity in made[::2]:
        for _ in range(4):
            called(mine(), identity, "{}", "an owl")
    assert hits("owl") == made[::-1]
