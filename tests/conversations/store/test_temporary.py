"""A store in memory: as any other while its chat is there, and empty once nobody holds the chat."""

import gc
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from conversations.library import files
from conversations.replies import turn
from conversations.store import Store, forget_with, open_temporary, search_conversations
from conversations.store.database import connect
from conversations.store.schema import Document, Message
from settings import Settings
from tests.conversations.talk import ask, mine, over, texts, wait_for
from tests.loopback import Loopback

WORD = "quetzalcoatlus"


class Chat:
    """What a tab holds."""


def said(store: Store) -> int:
    """Messages of all temporary chats."""
    with store.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Message)) or 0


@pytest.fixture
def _answered(loopback: Loopback) -> None:
    loopback.reply = f"A {WORD} flies ."


@pytest.mark.usefixtures("_answered")
def test_a_chat_has_branches_documents_and_a_search_of_its_own() -> None:
    store = open_temporary()
    first = over(store, turn.send(store, None, f"What is a {WORD}?", ask("openai")))
    second = over(store, turn.regenerate(store, first.id, ask("openai")))
    files.add(store, "notes.txt", f"The {WORD} had wings of ten metres.".encode(), first.conversation_id)
    third = over(store, turn.send(store, first.conversation_id, "And its wings?", ask("openai")))
    thread = store.thread(first.conversation_id)
    assert thread.branches[second.id] == [first.id, second.id]
    assert [source.file for source in thread.sources[third.id]] == ["notes.txt"]
    assert len(texts(store, first.conversation_id)) == 4
    assert search_conversations(store, WORD)
    assert mine().listing() == [] == open_temporary().listing()


@pytest.mark.usefixtures("_answered")
def test_all_of_it_goes_with_the_chat_that_held_it() -> None:
    kept, store, chat = open_temporary(), open_temporary(), Chat()
    forget_with(chat, store)
    over(kept, turn.send(kept, None, "hi", ask("openai")))
    row = over(store, turn.send(store, None, f"What is a {WORD}?", ask("openai")))
    files.add(store, "notes.txt", WORD.encode(), row.conversation_id)
    assert said(store) == 4
    del chat
    gc.collect()
    wait_for(lambda: said(store) == 2)
    with store.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Document)) == 0


def test_many_write_and_read_at_once() -> None:
    def talk(number: int) -> list[str]:
        store, said = open_temporary(), []
        with store.database.writing() as session:
            found = store.create(session)
        for at in range(10):
            with store.database.writing() as session:
                turn.add_message(session, store.lock_conversation(session, found.id), None, text=f"{number}-{at}")
            said.append(str(len(store.listing())))
        return said

    with ThreadPoolExecutor(8) as pool:
        assert set(map(tuple, pool.map(talk, range(8)))) == {("1",) * 10}


def test_it_is_no_database_that_the_settings_name() -> None:
    store = open_temporary()
    assert store.database.is_temporary
    assert store.database.file is None
    assert not connect(Settings.read().database_url).is_temporary
