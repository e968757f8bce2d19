"""Vectors of a store's documents: kept with them or not at all, used by their owner alone, and only while they fit."""

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import func, select

from conversations.library import files, reading
from conversations.replies import turn
from conversations.store.schema import Document, Passage
from conversations.store.store import NotFoundError, Store
from documents.errors import EmbeddingError
from tests.conftest import free_port
from tests.conversations.talk import ask, mine, over
from tests.loopback import Loopback, running

pytestmark = pytest.mark.server  # documents are read by a process of their own

WEATHER = b"The mountain gets much rain."
FOOD = b"Bread is baked at night."
PARAPHRASE = "rainfall upon mountaintops"


@pytest.fixture(scope="module")
def shared() -> Iterator[Loopback]:
    """One server for all tests of this file."""
    with running(free_port()) as made:
        yield made


@pytest.fixture(autouse=True)
def server(shared: Loopback, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """EMBEDDINGS names it."""
    shared.requests.clear()
    shared.script.clear()
    shared.size = 256
    monkeypatch.setenv("EMBEDDINGS", shared.url)
    monkeypatch.setenv("EMBEDDINGS_MODEL", "trigrams")
    return shared


def conversation(store: Store) -> str:
    with store.database.writing() as session:
        return store.create(session).id


def told(store: Store, identity: str, question: str) -> list[str]:
    return [each.page_content for each in files.search(store, identity, question)]


def test_vectors_are_kept_with_the_passages_and_find_a_paraphrase(server: Loopback) -> None:
    store = mine()
    identity = conversation(store)
    for name, data in (("weather.txt", WEATHER), ("food.txt", FOOD)):
        assert files.add(store, name, data, identity).embedding == "trigrams"
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()]
    with store.database.reading() as session:
        kept = session.scalars(select(Passage.vector)).all()
    assert [len(each or b"") for each in kept] == [256 * 4] * 2
    assert np.isclose(np.linalg.norm(np.frombuffer(kept[0] or b"", np.float32)), 1)
    server.requests.clear()
    told(store, identity, PARAPHRASE)
    assert [request["input"] for request in server.requests] == [[PARAPHRASE]], "documents are not sent again"


def test_a_server_that_fails_keeps_nothing(server: Loopback) -> None:
    store = mine()
    identity = conversation(store)
    server.script.extend(["500"] * 3)
    with pytest.raises(EmbeddingError, match=r"weather\.txt was not kept: .*trigrams at 127\.0\.0\.1.* Try again"):
        files.add(store, "weather.txt", WEATHER, identity)
    with store.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Document)) == 0
        assert session.scalar(select(func.count()).select_from(Passage)) == 0


def test_a_question_is_answered_by_words_while_the_server_fails(
    server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    store = mine()
    identity = conversation(store)
    files.add(store, "weather.txt", WEATHER, identity)
    server.script.append("500")
    assert told(store, identity, "rain") == [WEATHER.decode()]
    assert caplog.text.count("by words alone") == 1
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()], "the next question has vectors again"


def test_another_model_leaves_older_documents_to_their_words(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    store = mine()
    identity = conversation(store)
    files.add(store, "weather.txt", WEATHER, identity)
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()]
    monkeypatch.setenv("EMBEDDINGS_MODEL", "better")
    server.size = 64
    assert told(store, identity, PARAPHRASE) == []
    assert told(store, identity, "rain") == [WEATHER.decode()]
    files.add(store, "food.txt", FOOD, identity)
    assert told(store, identity, "bakery breads") == [FOOD.decode()]
    assert told(store, identity, "rain") == [WEATHER.decode()]
    monkeypatch.delenv("EMBEDDINGS_MODEL")
    assert told(store, identity, "rain") == [WEATHER.decode()], "a wrong variable fails no reply"
    monkeypatch.delenv("EMBEDDINGS")
    assert told(store, identity, "rain") == [WEATHER.decode()]


def test_a_document_from_before_is_found_beside_one_with_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    store = mine()
    identity = conversation(store)
    with monkeypatch.context() as before:
        before.delenv("EMBEDDINGS")
        assert files.add(store, "food.txt", FOOD, identity).embedding is None
        assert told(store, identity, "bread") == [FOOD.decode()]
    files.add(store, "weather.txt", WEATHER, identity)
    assert told(store, identity, "bread") == [FOOD.decode()]
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()]


def test_the_vectors_of_another_owner_are_never_used() -> None:
    me, you = mine(), mine("you")
    my, yours = conversation(me), conversation(you)
    secret = files.add(me, "weather.txt", WEATHER, my)
    files.add(you, "food.txt", FOOD, yours)
    assert told(me, my, PARAPHRASE) == [WEATHER.decode()]
    assert told(you, yours, PARAPHRASE) == []
    with pytest.raises(NotFoundError):
        files.search(you, my, PARAPHRASE)
    with pytest.raises(NotFoundError):
        files.document_retriever(you, [secret.id])


def test_with_a_document_its_vectors_are_gone() -> None:
    store = mine()
    identity = conversation(store)
    kept = files.add(store, "weather.txt", WEATHER, identity)
    assert told(store, identity, PARAPHRASE)
    files.delete(store, kept.id)
    assert told(store, identity, PARAPHRASE) == []
    with store.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Passage)) == 0


def test_a_reply_cites_what_was_read_in_the_background_and_found_by_meaning(
    server: Loopback, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    store = mine()
    identity = conversation(store)
    begun = reading.start(store, identity, "weather.txt", WEATHER)
    row = over(store, turn.send(store, identity, PARAPHRASE, ask("openai")))
    assert (begun.done, begun.total, begun.unit, begun.error) == (1, 1, "passages", None)
    assert [source.quote for source in store.thread(identity).sources[row.id]] == [WEATHER.decode()]
    server.script.extend(["500", "reply"])
    row = over(store, turn.send(store, identity, "How much rain?", ask("openai")))
    assert (row.error, row.text.strip()) == (None, server.reply)
    assert [source.quote for source in store.thread(identity).sources[row.id]] == [WEATHER.decode()]


def test_a_failed_reading_says_so_in_one_line(server: Loopback) -> None:
    store = mine()
    identity = conversation(store)
    server.script.extend(["404"])
    begun = reading.start(store, identity, "weather.txt", WEATHER)
    assert begun.finished.wait(60)
    assert begun.error == (
        f"weather.txt was not kept: No embeddings from trigrams at {server.url[7:-3]}: it does not know this model or "
        "address. Check EMBEDDINGS_MODEL and EMBEDDINGS."
    )
    assert files.listing(store, identity) == []
