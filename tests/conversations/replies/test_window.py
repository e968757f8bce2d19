"""A conversation that no longer fits is cut at one place for several messages, and remembers it."""

import itertools
from typing import Any

import pytest

import backends
from chains.window import estimate_tokens
from conversations.replies import turn
from conversations.store.database import disconnect
from conversations.store.schema import Message
from conversations.store.store import Store
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback

WINDOW = 1000
FREE = {"max_tokens": 50}


@pytest.fixture
def server(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """A server with a small window."""
    monkeypatch.setenv("OPENAI_N_CTX", str(WINDOW))
    return loopback


def question(number: int, words: int = 100) -> str:
    return f"Question {number}: " + "and more " * words


def say(store: Store, identity: str | None, number: int, words: int = 60) -> Message:
    return over(store, turn.send(store, identity, question(number, words), ask("openai", **FREE)))


def talk(store: Store, turns: int, words: int = 60) -> Message:
    """A conversation of so many turns; its last reply."""
    row = say(store, None, 0, words)
    for number in range(1, turns):
        row = say(store, row.conversation_id, number, words)
    return row


def sent(server: Loopback) -> list[dict[str, Any]]:
    """The newest request's messages after the system prompt."""
    return [message for message in server.requests[-1]["messages"] if message["role"] != "system"]


def begin(server: Loopback) -> str:
    return str(sent(server)[0]["content"])[:12]


def runs(values: list[str]) -> list[int]:
    return [len(list(group)) for _, group in itertools.groupby(values)]


@pytest.mark.usefixtures("database_url")  # SQLite and PostgreSQL
def test_many_messages_begin_with_the_same_turn_also_for_another_process(server: Loopback) -> None:
    begins, identity = [], None
    for number in range(26):
        row = say(mine(), identity, number)
        identity = row.conversation_id
        begins.append(begin(server))
        shown = mine().thread(identity, 100).messages
        assert row.dropped == len(shown) - 1 - len(sent(server))
        assert str(sent(server)[0]["content"]) == shown[row.dropped].text
        used = estimate_tokens("".join(str(each["content"]) for each in sent(server)))
        assert used < WINDOW - FREE["max_tokens"]
        if number % 5 == 4:  # nothing stays but the database
            backends.unload()
            disconnect()
    assert len(set(begins)) == len(runs(begins))
    assert min(runs(begins)[:-1]) >= 4
    assert len(runs(begins)) > 3


def test_a_reply_given_anew_and_one_that_goes_on_read_the_same(server: Loopback) -> None:
    store = mine()
    row = talk(store, 12)
    first, asked = begin(server), sent(server)
    assert row.dropped
    again = over(store, turn.regenerate(store, row.id, ask("openai", **FREE)))
    assert (sent(server), again.dropped) == (asked, row.dropped)
    more = over(store, turn.continue_reply(store, again.id, ask("openai", **FREE)))
    assert (begin(server), more.dropped) == (first, row.dropped)


def test_another_branch_has_a_cut_of_its_own(server: Loopback) -> None:
    store = mine()
    row = talk(store, 12)
    asked = sent(server)
    thread = store.thread(row.conversation_id).messages
    early = over(store, turn.edit(store, thread[2].id, question(77), ask("openai", **FREE)))
    assert (early.dropped, len(sent(server))) == (0, 3)
    later = over(store, turn.edit(store, thread[-2].id, question(11, 60), ask("openai", **FREE)))
    assert (sent(server), later.dropped) == (asked, row.dropped)


def test_a_long_message_takes_the_room_of_others_and_the_next_ones_go_on_from_there(server: Loopback) -> None:
    store = mine()
    row = talk(store, 12)
    long = say(store, row.conversation_id, 12, 300)
    assert long.dropped > row.dropped
    after = [say(store, row.conversation_id, number, 10) for number in range(13, 17)]
    cuts = [long.dropped, *(each.dropped for each in after)]
    assert cuts == sorted(cuts)
    assert len(set(cuts)) <= 2
    assert sent(server)[-1]["content"] == question(16, 10)


def test_a_larger_window_brings_turns_back(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    store = mine()
    row = talk(store, 12)
    assert row.dropped
    monkeypatch.setenv("OPENAI_N_CTX", "8000")
    backends.unload()
    assert say(store, row.conversation_id, 12).dropped == 0


def test_both_replies_of_a_comparison_read_the_same(server: Loopback) -> None:
    store = mine()
    row = talk(store, 12)
    rows = turn.compare(store, question(99), [ask("openai", **FREE), ask("openai", **FREE)])
    for each in rows:
        assert over(store, each).dropped == 0
    assert say(store, row.conversation_id, 12).dropped >= row.dropped
