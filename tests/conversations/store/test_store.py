"""The store of one owner, on both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conversations.replies import turn
from conversations.store.schema import Message, State
from conversations.store.store import NotFoundError, Store, make_title, sweep
from conversations.store.text import clean
from tests.conversations.talk import ask, mine, over, texts
from tests.loopback import Loopback

pytestmark = pytest.mark.usefixtures("database_url")


def chat(store: Store, *said: str, **new: Any) -> str:
    """A conversation with replies of a scripted server."""
    identity: str | None = None
    for text in said:
        row = turn.send(store, identity, text, ask("openai"), new)
        identity = over(store, row).conversation_id
    assert identity is not None
    return identity


def test_what_was_said_lasts(loopback: Loopback) -> None:
    identity = chat(mine(), "one", "two", system="Be brief.")
    found = mine().thread(identity)
    assert [(m.role, m.text.strip()) for m in found.messages] == [
        ("user", "one"),
        ("assistant", loopback.reply),
        ("user", "two"),
        ("assistant", loopback.reply),
    ]
    reply = found.messages[-1]
    assert (reply.state, reply.backend, reply.model) == (State.DONE, "openai", "loopback-small")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.stop_reason) == (7, 6, "stop")
    assert reply.ttft_ms is not None
    assert reply.duration_ms is not None
    assert 0 < reply.ttft_ms <= reply.duration_ms
    assert (found.conversation.title, found.conversation.system) == ("one", "Be brief.")


def test_the_list_is_pinned_first_then_newest(loopback: Loopback) -> None:
    store = mine()
    first, second, third = (chat(store, text) for text in ("first", "second", "third"))
    store.update(first, pinned=True)
    over(store, turn.send(store, second, "again", ask("openai")))
    assert [c.id for c in store.listing()] == [first, second, third]
    assert [c.id for c in store.listing(limit=1, offset=1)] == [second]
    store.update(third, title="renamed")
    assert store.get(third).title == "renamed"


def test_a_conversation_that_is_not_there_yet_is_made_and_taken_away_where_its_beginning_fails() -> None:
    store = mine()
    with store.ensured(None, system="Be brief.") as made:
        assert store.get(made).system == "Be brief."
    with store.ensured(made, system="Be long.") as same:
        assert (same, store.get(same).system) == (made, "Be brief.")
    with pytest.raises(ValueError, match="spoilt"), store.ensured(made):
        raise ValueError("spoilt")
    with pytest.raises(KeyboardInterrupt), store.ensured(None):
        raise KeyboardInterrupt
    assert [c.id for c in store.listing()] == [made]
    with pytest.raises(NotFoundError), mine("anna").ensured(made):
        pass


def test_nobody_sees_what_is_somebody_elses(loopback: Loopback) -> None:
    identity = chat(mine("anna"), "my secret")
    number = mine("anna").thread(identity).messages[-1].id
    other = mine("bert")
    assert other.listing() == []
    for forbidden in (
        lambda: other.get(identity),
        lambda: other.thread(identity),
        lambda: other.message(number),
        lambda: other.delete(identity),
        lambda: other.update(identity, title="x"),
        lambda: other.select_branch(number),
        lambda: other.rate(number, 1),
        lambda: turn.send(other, identity, "hi", ask("openai")),
        lambda: turn.edit(other, number - 1, "hi", ask("openai")),
        lambda: turn.regenerate(other, number, ask("openai")),
        lambda: turn.continue_reply(other, number, ask("openai")),
    ):
        with pytest.raises(NotFoundError):
            forbidden()
    assert texts(mine("anna"), identity) == ["my secret", loopback.reply + " "]
    assert len(loopback.requests) == 1


def test_a_name_with_wildcards_is_a_name(loopback: Loopback) -> None:
    identity = chat(mine("anna"), "hi")
    assert mine("%").listing() == mine("ann_").listing() == []
    with pytest.raises(NotFoundError):
        mine("anna").get(identity[:-1] + "%")


def test_edit_and_regenerate_make_branches(loopback: Loopback) -> None:
    store = mine()
    identity = chat(store, "one", "two")
    one, first, two, _ = store.thread(identity).messages
    loopback.reply = "Another day ."
    over(store, turn.regenerate(store, first.id, ask("openai")))
    assert texts(store, identity) == ["one", "Another day . "]
    assert loopback.requests[-1]["messages"][-1]["content"] == "one"
    over(store, turn.edit(store, two.id, "zwei", ask("openai")))
    assert texts(store, identity) == ["one", "It is a fine day . ", "zwei", "Another day . "]
    branches = store.thread(identity).branches
    assert [len(beside) for beside in branches.values()] == [2, 2]
    store.select_branch(two.id)
    assert texts(store, identity)[2] == "two"
    over(store, turn.edit(store, one.id, "eins", ask("openai")))
    assert texts(store, identity) == ["eins", "Another day . "]
    store.select_branch(one.id)
    assert texts(store, identity)[0] == "one"
    assert store.get(identity).title == "one"


def test_only_the_last_messages_are_read(loopback: Loopback) -> None:
    store = mine()
    identity = chat(store, *map(str, range(4)))
    found = store.thread(identity, last=3)
    assert [m.text.strip() for m in found.messages] == [loopback.reply, "3", loopback.reply]
    assert found.earlier == 5


def test_thumbs_are_kept_and_taken_back(loopback: Loopback) -> None:
    store = mine()
    identity = chat(store, "hi")
    number = store.thread(identity).messages[-1].id
    store.rate(number, 1)
    store.rate(number, -1, "too short")
    said = store.thread(identity).feedback[number]
    assert (said.value, said.comment) == (-1, "too short")
    store.rate(number, None)
    assert store.thread(identity).feedback == {}


def test_deleted_is_gone_at_once_with_all_that_hangs_on_it(loopback: Loopback) -> None:
    store = mine()
    identity = chat(store, "one", "two")
    store.rate(store.thread(identity).messages[-1].id, 1)
    store.delete(identity)
    assert store.listing() == []
    with pytest.raises(NotFoundError):
        store.thread(identity)
    with pytest.raises(NotFoundError):
        store.delete(identity)


def test_deleting_a_long_conversation() -> None:
    store = mine()
    with store.database.writing() as session:
        found = store.create(session)
        parent: int | None = None
        for number in range(3000):
            parent = turn.add_message(session, found, parent, text=f"message {number}").id
    assert len(store.thread(found.id, 5000).messages) == 3000
    store.delete(found.id)
    assert store.listing() == []


def test_a_reply_whose_process_died_is_interrupted_and_only_that(loopback: Loopback) -> None:
    store = mine()
    loopback.script.append("slow")
    running = turn.send(store, None, "hi", ask("openai"))
    with store.database.writing() as session:
        found = store.create(session)
        question = turn.add_message(session, found, None, text="hi")
        dead = turn.add_reply(session, store, question)
        dead.process, dead.text, dead.state = "gone", "half an ans", State.RUNNING
        dead.heartbeat = time.time() - 11
        young = turn.add_reply(session, store, question)
        young.process, young.heartbeat = "other", time.time() - 5
    sweep(store.database)
    assert [store.message(m.id).state for m in (dead, young)] == [State.INTERRUPTED, State.WAITING]
    assert store.message(dead.id).text == "half an ans"
    assert store.message(running.id).live
    store.delete(running.conversation_id)


@pytest.mark.parametrize(
    ("text", "made"),
    [("hi", "hi"), ("\n  two\nlines", "two"), ("word " * 30, "word " * 11 + "word…"), ("x" * 70, "x" * 60 + "…")],
)
def test_titles_come_from_the_first_message(text: str, made: str) -> None:
    assert make_title(text) == made


def test_a_record_is_no_way_to_write(loopback: Loopback) -> None:
    store = mine()
    identity = chat(store, "hi")
    found: Message = store.thread(identity).messages[0]
    found.text = "changed"
    assert texts(store, identity)[0] == "hi"


def test_a_heartbeat_from_the_future_is_no_life(loopback: Loopback) -> None:
    store = mine()
    number = store.thread(chat(store, "hi")).messages[-1].id
    with store.database.writing() as session:
        row = store.message_row(session, number)
        row.state, row.process, row.heartbeat = State.RUNNING, "dead", time.time() + 3600  # the clock was set back
    assert store.thread(row.conversation_id).messages[-1].state == State.INTERRUPTED


@pytest.mark.parametrize("name", ["\x00", "\ud800", "a\udfff\x00"])
def test_what_no_database_holds_is_not_found_and_does_no_harm(loopback: Loopback, name: str) -> None:
    store = mine()
    with pytest.raises(NotFoundError):
        store.get(name)
    assert mine(name).listing() == []
    identity = chat(store, "hi", system=name)
    store.update(identity, title=name)
    assert store.get(identity).title == clean(name)


def test_thumbs_at_once_leave_one(loopback: Loopback) -> None:
    store = mine()
    number = store.thread(chat(store, "hi")).messages[-1].id
    with ThreadPoolExecutor(6) as threads:
        for each in [threads.submit(store.rate, number, 1, str(n)) for n in range(60)]:
            each.result()
