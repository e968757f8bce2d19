"""Search in what models thought, on request alone, on both databases."""

import pytest
from sqlalchemy import text, update

from conversations.replies import turn
from conversations.store.schema import Message, State
from conversations.store.search import Hit, search_conversations
from conversations.store.store import Store
from conversations.store.text import searched_words
from tests.conversations.store.test_search import hits, keep
from tests.conversations.talk import mine

pytestmark = pytest.mark.usefixtures("database_url")


def thought_hits(words: str, store: Store | None = None) -> list[Hit]:
    """What is found with what models thought."""
    return search_conversations(store or mine(), words, with_thinking=True)


def test_what_was_thought_is_found_on_request_alone() -> None:
    thinking = "The heron is grey, 鷺 too."
    folded = searched_words(thinking)
    fields = {"role": "assistant", "thinking": thinking, "thinking_folded": folded}
    identity = keep(mine(), "A good day.", title="Weather", **fields)
    both = keep(mine(), "The heron flies.", role="assistant", thinking="A heron is meant.", title="Birds")
    assert [hit.conversation_id for hit in search_conversations(mine(), "heron")] == [both]
    assert hits("鷺") == hits("grey") == []
    found = {hit.conversation_id: hit for hit in thought_hits("heron")}
    assert (found[identity].is_thought, found[identity].snippet) == (True, "The heron is grey, 鷺 too.")
    assert (found[both].is_thought, found[both].snippet) == (False, "The heron flies.")
    for words in ("her", "HERON gre", "鷺", "grey 鷺"):
        assert [hit.conversation_id for hit in thought_hits(words) if hit.is_thought] == [identity], words
    assert thought_hits("eron") == thought_hits("heron day") == []
    assert thought_hits("heron", mine("other")) == []
    assert [hit.title for hit in thought_hits("weather")] == ["Weather"]


def test_what_was_thought_is_found_when_the_reply_is_over_and_until_it_is_gone() -> None:
    store = mine()
    identity = keep(store, "a question")
    with store.database.writing() as session:
        found = store.lock_conversation(session, identity)
        reply = turn.add_message(session, found, found.head, role="assistant", thinking="a heron", state=State.RUNNING)
    assert thought_hits("heron") == []
    with store.database.writing() as session:
        columns = {"thinking": "a heron, Größe", "thinking_folded": searched_words("a heron, Größe")}
        session.execute(update(Message).where(Message.id == reply.id).values(state=State.STOPPED, **columns))
    assert [hit.message_id for hit in thought_hits("heron grosse")] == [reply.id]
    with store.database.writing() as session:
        session.execute(update(Message).where(Message.id == reply.id).values(thinking="a stork", thinking_folded=None))
    assert (thought_hits("heron"), len(thought_hits("stork"))) == ([], 1)
    store.delete(identity)
    assert thought_hits("stork") == []
    if store.database.sqlite:
        with store.database.writing() as session:
            session.execute(text("INSERT INTO message_thinking(message_thinking, rank) VALUES ('integrity-check', 1)"))
