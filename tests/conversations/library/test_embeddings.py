"""Vectors of a store's documents: kept with them, used by their owner alone, and only while they fit."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import func, select

from conversations.library import files, reading, vectors
from conversations.replies import turn
from conversations.store.schema import Document, Passage
from conversations.store.store import NotFoundError, Store
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


def add(store: Store, name: str, data: bytes, identity: str) -> Document:
    """A document that has all its vectors, or an error that says why not."""
    row = files.add(store, name, data, identity)
    if (job := vectors.job_of(store.database, row.id)) is not None:
        assert job.finished.wait(60)
    return files.get(store, row.id)


def told(store: Store, identity: str, question: str) -> list[str]:
    return [each.page_content for each in files.search(store, identity, question)]


def test_vectors_are_kept_with_the_passages_and_find_a_paraphrase(server: Loopback) -> None:
    store = mine()
    identity = conversation(store)
    for name, data in (("weather.txt", WEATHER), ("food.txt", FOOD)):
        row = add(store, name, data, identity)
        assert (row.embedding, row.vectors) == ("trigrams", row.passages)
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()]
    with store.database.reading() as session:
        kept = session.scalars(select(Passage.vector)).all()
    assert [len(each or b"") for each in kept] == [256 * 4] * 2
    assert np.isclose(np.linalg.norm(np.frombuffer(kept[0] or b"", np.float32)), 1)
    server.requests.clear()
    told(store, identity, PARAPHRASE)
    assert [request["input"] for request in server.requests] == [[PARAPHRASE]], "documents are not sent again"


def test_a_server_that_fails_leaves_the_words_and_says_why(server: Loopback) -> None:
    store = mine()
    identity = conversation(store)
    server.script.extend(["500"] * 3)
    row = add(store, "weather.txt", WEATHER, identity)
    job = vectors.job_of(store.database, row.id)
    assert job is not None
    assert re.fullmatch(r"No embeddings from trigrams at 127\.0\.0\.1.* Try again\.", job.error or "")
    assert (row.vectors, files.lacks_vectors(store, row)) == (0, True)
    assert told(store, identity, "rain") == [WEATHER.decode()]
    files.embed(store, row.id)
    again = vectors.job_of(store.database, row.id)
    assert again is None or again.finished.wait(60)
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()]
    assert not files.lacks_vectors(store, files.get(store, row.id))


def test_a_question_is_answered_by_words_while_the_server_fails(
    server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    store = mine()
    identity = conversation(store)
    add(store, "weather.txt", WEATHER, identity)
    server.script.append("500")
    assert told(store, identity, "rain") == [WEATHER.decode()]
    assert caplog.text.count("by words alone") == 1
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()], "the next question has vectors again"


def test_another_model_leaves_older_documents_to_their_words(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    store = mine()
    identity = conversation(store)
    add(store, "weather.txt", WEATHER, identity)
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()]
    monkeypatch.setenv("EMBEDDINGS_MODEL", "better")
    server.size = 64
    assert told(store, identity, PARAPHRASE) == []
    assert told(store, identity, "rain") == [WEATHER.decode()]
    add(store, "food.txt", FOOD, identity)
    assert told(store, identity, "bakery breads") == [FOOD.decode()]
    assert told(store, identity, "rain") == [WEATHER.decode()]
    monkeypatch.delenv("EMBEDDINGS_MODEL")
    assert told(store, identity, "rain") == [WEATHER.decode()], "a wrong variable fails no reply"
    monkeypatch.setenv("EMBEDDINGS", "none")
    assert told(store, identity, "rain") == [WEATHER.decode()]


def test_a_document_from_before_is_found_beside_one_with_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    store = mine()
    identity = conversation(store)
    with monkeypatch.context() as before:
        before.setenv("EMBEDDINGS", "none")
        assert add(store, "food.txt", FOOD, identity).embedding is None
        assert told(store, identity, "bread") == [FOOD.decode()]
    add(store, "weather.txt", WEATHER, identity)
    assert told(store, identity, "bread") == [FOOD.decode()]
    assert told(store, identity, PARAPHRASE) == [WEATHER.decode()]


def test_the_vectors_of_another_owner_are_never_used() -> None:
    me, you = mine(), mine("you")
    my, yours = conversation(me), conversation(you)
    secret = add(me, "weather.txt", WEATHER, my)
    add(you, "food.txt", FOOD, yours)
    assert told(me, my, PARAPHRASE) == [WEATHER.decode()]
    assert told(you, yours, PARAPHRASE) == []
    with pytest.raises(NotFoundError):
        files.search(you, my, PARAPHRASE)
    with pytest.raises(NotFoundError):
        files.document_retriever(you, [secret.id])


def test_with_a_document_its_vectors_are_gone() -> None:
    store = mine()
    identity = conversation(store)
    kept = add(store, "weather.txt", WEATHER, identity)
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
    assert begun.finished.wait(60)
    assert begun.document is not None
    job = vectors.job_of(store.database, begun.document.id)
    assert job is None or job.finished.wait(60)
    row = over(store, turn.send(store, identity, PARAPHRASE, ask("openai")))
    assert begun.error is None
    assert [source.quote for source in store.thread(identity).sources[row.id]] == [WEATHER.decode()]
    server.script.extend(["500", "reply"])
    row = over(store, turn.send(store, identity, "How much rain?", ask("openai")))
    assert (row.error, row.text.strip()) == (None, server.reply)
    assert [source.quote for source in store.thread(identity).sources[row.id]] == [WEATHER.decode()]
