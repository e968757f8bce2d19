"""Pictures of messages: kept once, shown to the model with every turn, gone with the last message that has them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select

from conversations.replies import turn
from conversations.store import pictures
from conversations.store.picture_tables import MessagePicture, StoredPicture
from conversations.store.schema import State
from conversations.store.store import NotFoundError, Store
from conversations.store.text import MessageError
from documents.pictures.picture import Picture
from tests.conversations.replies.web import Web
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback
from tests.pictures import encode, plain

pytestmark = pytest.mark.usefixtures("database_url")


RED, BLUE = plain(), plain("blue.png", "blue")


def url(each: Picture) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": each.data_url}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def count(store: Store, table: Any) -> int:
    with store.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def names(store: Store, identity: str) -> list[list[str]]:
    found = store.thread(identity)
    return [[each.name for each in found.pictures.get(m.id, ())] for m in found.messages]


def test_every_turn_shows_them_and_branches_keep_them(loopback: Loopback) -> None:
    store = mine()
    first = over(store, turn.send(store, None, "What is this?", ask("openai"), None, [RED, BLUE]))
    identity = first.conversation_id
    over(store, turn.send(store, identity, "And this?", ask("openai"), pictures=[plain("again.png")]))
    wire = [message["content"] for message in loopback.requests[-1]["messages"] if message["role"] == "user"]
    assert wire == [[url(RED), url(BLUE), text("What is this?")], [url(RED), text("And this?")]]
    assert names(store, identity) == [["red.png", "blue.png"], [], ["again.png"], []]
    assert count(store, StoredPicture) == 2  # one of them twice, under two names

    loopback.requests.clear()
    again = over(store, turn.regenerate(store, first.id, ask("openai")))
    assert loopback.requests[-1]["messages"][-1]["content"] == wire[0]
    over(store, turn.continue_reply(store, again.id, ask("openai")))
    assert wire[0] in [message["content"] for message in loopback.requests[-1]["messages"]]

    question = store.thread(identity).messages[0]
    over(store, turn.edit(store, question.id, "Which colours?", ask("openai")))
    assert loopback.requests[-1]["messages"][-1]["content"] == [url(RED), url(BLUE), text("Which colours?")]
    over(store, turn.edit(store, question.id, "", ask("openai"), [BLUE]))
    assert loopback.requests[-1]["messages"][-1]["content"] == [url(BLUE)]
    with pytest.raises(MessageError, match="The message is empty"):
        turn.edit(store, question.id, " ", ask("openai"), [])


def test_a_picture_alone_is_a_message_that_gives_a_title_and_is_compared(loopback: Loopback) -> None:
    store = mine()
    rows = turn.compare(store, "", [ask("openai"), ask("openai")], None, [RED])
    ended = [over(store, row) for row in rows]
    assert [row.state for row in ended] == [State.DONE, State.DONE]
    assert store.get(ended[0].conversation_id).title == "Picture"
    assert [request["messages"][-1]["content"] for request in loopback.requests] == [[url(RED)], [url(RED)]]


def test_a_picture_goes_with_the_last_message_of_its_owner_that_has_it(loopback: Loopback) -> None:
    store, other = mine(), mine("somebody else")
    one = over(store, turn.send(store, None, "one", ask("openai"), None, [RED])).conversation_id
    two = over(store, turn.send(store, None, "two", ask("openai"), None, [RED, BLUE])).conversation_id
    assert store.picture(RED.digest).data == RED.data
    with pytest.raises(NotFoundError):
        other.picture(RED.digest)
    theirs = over(other, turn.send(other, None, "theirs", ask("openai"), None, [RED])).conversation_id
    assert count(store, StoredPicture) == 3
    store.delete(one)
    assert store.picture(RED.digest).name == "red.png"
    store.clear(two)
    with pytest.raises(NotFoundError):
        store.picture(RED.digest)
    assert other.picture(RED.digest) == RED
    other.delete(theirs)
    assert (count(store, StoredPicture), count(store, MessagePicture)) == (0, 0)


def test_a_picture_that_is_given_while_it_goes_stays(loopback: Loopback) -> None:
    """One thread deletes the last message that has it while others send it with new ones."""
    store = mine()

    def send_and_delete(at: int) -> str:
        with store.database.writing() as session:
            identity = store.create(session).id
            row = turn.add_message(session, store.conversation_row(session, identity), None, text=str(at))
            pictures.attach(session, store.owner, row.id, [RED])
        if at % 4:
            store.delete(identity)
        return identity

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(send_and_delete, range(40)))
    assert count(store, MessagePicture) == 10
    assert store.picture(RED.digest) == RED
    for identity in made[::4]:
        store.delete(identity)
    assert count(store, StoredPicture) == 0


def test_a_picture_stands_where_its_message_has_it(loopback: Loopback) -> None:
    store = mine()
    said = [pictures.Placed(RED, 6), pictures.Placed(BLUE, 10)]
    row, _ = turn.go_on(store, None, [{"text": "First then more", "pictures": said}], ask("openai"), {})
    over(store, row)
    shown = [text("First "), url(RED), text("then"), url(BLUE), text(" more")]
    assert loopback.requests[-1]["messages"][-1]["content"] == shown


def test_a_model_that_cannot_see_says_so_and_reads_on_without_them(loopback: Loopback) -> None:
    store = mine()
    failed = over(store, turn.send(store, None, "What is this?", ask("llamacpp"), None, [RED]))
    assert failed.state == State.FAILED
    assert str(failed.error).startswith("llamacpp cannot see pictures")
    seen = over(store, turn.regenerate(store, failed.id, ask("openai")))
    assert seen.state == State.DONE
    read_on = over(store, turn.send(store, seen.conversation_id, "hi", ask("llamacpp", max_tokens=4)))
    assert (read_on.state, read_on.error) == (State.DONE, None)


def test_another_providers_model_is_shown_them_where_its_profile_says_that_it_sees(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = mine()
    seen = over(store, turn.send(store, None, "What is this?", ask("openai:gpt-4o-mini"), None, [RED]))
    assert (seen.state, seen.error) == (State.DONE, None)
    assert loopback.requests[-1]["messages"][-1]["content"] == [url(RED), text("What is this?")]
    loopback.requests.clear()
    refused = over(store, turn.regenerate(store, seen.id, ask("openai:gpt-3.5-turbo")))
    assert (refused.state, loopback.requests) == (State.FAILED, [])
    assert "openai:gpt-3.5-turbo cannot see pictures" in str(refused.error)


def test_a_fallback_is_shown_them_too_and_one_that_cannot_see_says_so(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = mine()
    loopback.script.append("404")
    monkeypatch.setenv("LLM_FALLBACK", "openai:gpt-4o-mini")
    answered = over(store, turn.send(store, None, "What is this?", ask("openai"), None, [RED]))
    assert (answered.state, answered.backend) == (State.DONE, "openai:gpt-4o-mini")
    assert loopback.requests[-1]["messages"][-1]["content"] == [url(RED), text("What is this?")]
    loopback.script.append("404")
    monkeypatch.setenv("LLM_FALLBACK", "llamacpp")
    failed = over(store, turn.regenerate(store, answered.id, ask("openai")))
    first, last = str(failed.error).splitlines()
    assert first.startswith("openai")
    assert last.startswith("llamacpp cannot see pictures")


def test_a_picture_may_hold_words_of_strangers(loopback: Loopback, web: Web) -> None:
    store, reads = mine(), f'call read_page {{"url": "{web.url()}"}}'
    with store.database.writing() as session:
        identity = store.create(session, tools=["read_page"], grants={"read_page": "always"}).id
    loopback.script.extend([reads, "say Read.", reads])
    assert over(store, turn.send(store, identity, "one", ask("openai"))).state == State.DONE
    store.clear(identity, grants={"read_page": "always"})
    asked = over(store, turn.send(store, identity, "two", ask("openai"), pictures=[RED]))
    [call] = store.waiting_calls(identity)
    assert (asked.state, len(web.asked)) == (State.REQUIRES_ACTION, 1)
    assert call.passage == {"source": "a picture (red.png)", "text": "two"}


def test_a_picture_takes_its_part_of_the_window(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_N_CTX", "4000")
    monkeypatch.setenv("CONTEXT_STRATEGY", "trim")
    store, large = mine(), Image.new("RGB", (1200, 1000), "red")  # 1,600 tokens
    shown = [Picture("large.png", "image/png", *large.size, encode(large))]
    row = over(store, turn.send(store, None, "one", ask("openai"), None, shown))
    for number in ("two", "three"):
        row = over(store, turn.send(store, row.conversation_id, number, ask("openai"), None, shown))
    said = [row["content"] for row in loopback.requests[-1]["messages"] if row["role"] == "user"]
    assert [each[-1]["text"] for each in said] == ["two", "three"]
    assert row.dropped == 2
