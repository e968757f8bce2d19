"""A conversation that was deleted comes back as it was: with its tools, what was allowed, and whose words it holds."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from conversations.exchange import import_conversation, remove, restore
from conversations.replies import approval, turn
from conversations.store.calls import Decision
from conversations.store.schema import CallStatus, Message, State, ToolCall
from conversations.store.store import NotFoundError, Store
from tests.conversations.exchange.made import full
from tests.conversations.replies.web import Web
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback

TOOLS = ["calculator", "read_page"]


def marks(store: Store, identity: str) -> list[tuple[str, bool, list[tuple[bool, Any]]]]:
    """Of each message its text, whether a file brought it, and of its calls whose words they hold."""
    with store.database.reading() as session:
        rows = session.scalars(select(Message).where(Message.conversation_id == identity).order_by(Message.id)).all()
        calls = session.scalars(select(ToolCall).order_by(ToolCall.message_id, ToolCall.id)).all()
    of = {row.id: [(call.strange, call.passage) for call in calls if call.message_id == row.id] for row in rows}
    return [(row.text, row.imported, of[row.id]) for row in rows]


@pytest.mark.usefixtures("database_url")
def test_what_no_file_tells_comes_back(loopback: Loopback, web: Web) -> None:
    store = mine()
    read = f"call read_page {json.dumps({'url': web.url()})}"
    loopback.script.extend(
        [f'call calculator {{"expression": "6*7"}}\n{read}', "say It is closed.", read, "say Again."]
    )
    row = over(store, turn.send(store, None, "Is it open?", ask("openai"), {"tools": TOOLS}))
    (call,) = approval.waiting(store, row.id)
    approval.answer(store, call.id, Decision.ALWAYS, "page", ask("openai"))
    over(store, row)
    again = over(store, turn.send(store, row.conversation_id, "Sure?", ask("openai")))
    assert again.state == State.REQUIRES_ACTION, "words of strangers stand in it"
    before, held = store.get(row.conversation_id), marks(store, row.conversation_id)
    removed = remove(store, row.conversation_id)
    with pytest.raises(NotFoundError):
        store.get(row.conversation_id)
    assert restore(store, removed) == row.conversation_id
    after = store.get(row.conversation_id)
    assert (after.tools, after.grants) == (TOOLS, {"read_page": "always"}) == (before.tools, before.grants)
    assert marks(store, row.conversation_id) == held
    assert not any(imported for _, imported, _ in held)
    assert [strange for _, _, calls in held for strange, _ in calls] == [False, True, True]
    # What waited when it was deleted has ended, and what is asked later is asked as before.
    (last,) = store.calls(store.thread(row.conversation_id).messages[-1].id)
    assert last.status == CallStatus.CANCELLED
    assert last.passage is not None
    assert restore(store, removed) == row.conversation_id, "a second time changes nothing"


@pytest.mark.usefixtures("database_url")
def test_what_a_file_brought_stays_a_strangers() -> None:
    store = mine()
    identity = import_conversation(store, full())
    held = marks(store, identity)
    assert all(imported for _, imported, _ in held)
    store.update(identity, tools=["calculator"], backend="gpt2")
    assert restore(store, remove(store, identity)) == identity
    assert marks(store, identity) == held
    assert (store.get(identity).tools, store.get(identity).backend) == (["calculator"], "gpt2")


def test_a_memory_that_is_emptied_forgets_what_was_allowed() -> None:
    store = mine()
    identity = import_conversation(store, full())
    store.update(identity, tools=["read_page"], grants={"read_page": "always"})
    store.clear(identity)
    assert (store.get(identity).tools, store.get(identity).grants) == (["read_page"], None)
