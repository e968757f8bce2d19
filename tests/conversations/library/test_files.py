"""Documents of an owner: kept whole or not at all, found by nobody else, cited by replies, gone when deleted."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from chains.passages import location
from conversations.library import files, index, reading
from conversations.replies import turn, watch
from conversations.replies.generation import NO_PASSAGE, NO_ROOM, SMALL_MODEL
from conversations.replies.writer import reply_writer
from conversations.store import projects
from conversations.store.citations import Source, cite
from conversations.store.schema import Citation, Document, Passage, State
from conversations.store.store import NotFoundError, Store
from documents.errors import DocumentError
from documents.settings import DocumentSettings
from settings import ROOT
from tests.conversations.talk import ask, grown, mine, over, wait_for
from tests.documents.test_pdf import UNMAPPED, signs
from tests.loopback import Loopback
from tests.pdf import pdf

pytestmark = pytest.mark.server  # documents are read by a process of their own

FERRY = b"The ferry leaves at nine. It costs four crowns."
SECRET = "Xylophonquartz"
BOOK = pdf([f"Page {number} says that ship {number} has {number * 11} sails." for number in range(1, 21)])
READING = """
import sys
from pathlib import Path
from conversations.library import files
from conversations.store import store
from settings import Settings
def told(done, of):
    print(done, flush=True)
    sys.stdin.readline()
files.add(store.open_store(Settings.read(), "me"), "book.pdf", Path(sys.argv[1]).read_bytes(), sys.argv[2], told)
"""
both = pytest.mark.usefixtures("database_url")  # SQLite and PostgreSQL


def conversation(store: Store) -> str:
    """An empty one."""
    with store.database.writing() as session:
        return store.create(session).id


@pytest.fixture
def occupied() -> Iterator[threading.Event]:
    """The threads that read files wait for this before the next one."""
    go = threading.Event()
    for _ in range(reading.READERS):
        reading._threads.submit(go.wait, 60)
    yield go
    go.set()


def rows(store: Store) -> tuple[int, int, int]:
    """Documents, passages, citations of everybody."""
    with store.database.reading() as session:
        count = [session.scalar(select(func.count()).select_from(each)) for each in (Document, Passage, Citation)]
    return (count[0] or 0, count[1] or 0, count[2] or 0)


@both
def test_a_document_is_kept_with_its_passages() -> None:
    store = mine()
    identity = conversation(store)
    told: list[tuple[int, int]] = []
    row = files.add(store, "../My\nbook.pdf", BOOK, identity, lambda done, of: told.append((done, of)))
    assert (row.name, row.kind, row.bytes, row.pages, row.passages) == ("My_book.pdf", "pdf", len(BOOK), 20, 20)
    assert told == [(number, 20) for number in range(1, 21)]
    assert [each.id for each in files.listing(store, identity)] == [row.id]
    assert files.get(store, row.id).name == row.name
    text = files.content(store, row.id)
    best = files.search(store, identity, "How many sails has ship 7?")[0]
    assert text[best.metadata["start"] : best.metadata["end"]] == best.page_content
    assert (best.page_content, location(best)) == ("Page 7 says that ship 7 has 77 sails.", "My_book.pdf, page 7")


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.pdf", pdf([""])), ("a.pdf", BOOK[:900]), ("a.txt", b"\xff\xfea"), ("a.docx", b"PK\x03\x04"), ("a.exe", b"MZ")],
)
def test_nothing_of_a_bad_file_is_kept(name: str, data: bytes) -> None:
    store = mine()
    with pytest.raises(DocumentError, match=r"^a\."):
        files.add(store, name, data, conversation(store))
    assert rows(store) == (0, 0, 0)


def test_there_is_a_most_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DocumentSettings.variable("max_files"), "1")
    store = mine()
    files.add(store, "a.txt", FERRY)
    with pytest.raises(DocumentError, match=r"^b\.txt: you keep 1 documents, the most .* Delete one\.$"):
        files.add(store, "b.txt", FERRY)
    files.add(mine("another"), "b.txt", FERRY)
    assert rows(store)[0] == 2


@both
def test_nobody_else_finds_it() -> None:
    store, other = mine(), mine("another")
    identity = conversation(store)
    row, loose = files.add(store, "a.txt", FERRY, identity), files.add(store, "b.txt", FERRY)
    for number in (row.id, loose.id, "file-none", ""):
        for verb in (files.get, files.content, files.delete):
            with pytest.raises(NotFoundError, match="There is no document"):
                verb(other, number)
        with pytest.raises(NotFoundError, match="There is no document"):
            files.document_retriever(other, [number])
    for refused in (
        files.listing,
        lambda s, i: files.search(s, i, "ferry"),
        lambda s, i: files.add(s, "c.txt", FERRY, i),
    ):
        with pytest.raises(NotFoundError, match="There is no conversation"):
            refused(other, identity)
    assert files.listing(other) == []
    files.add(other, "c.txt", b"Another ferry.", theirs := conversation(other))
    assert [each.metadata["file"] for each in files.search(other, theirs, "ferry")] == ["c.txt"]
    with pytest.raises(NotFoundError):
        files.document_retriever(other, [files.listing(other, theirs)[0].id, row.id])
    assert rows(store)[0] == 3


@both
def test_what_is_deleted_is_gone() -> None:
    store = mine()
    identity = conversation(store)
    row = files.add(store, "a.txt", f"The word is {SECRET}.".encode(), identity)
    kept = files.add(store, "b.txt", FERRY, identity)
    assert len(files.search(store, identity, SECRET)) == 1
    files.delete(store, row.id)
    assert not [name for name in index._indexes if row.id in name]
    assert files.search(store, identity, SECRET) == []
    assert [each.id for each in files.listing(store, identity)] == [kept.id]
    assert rows(store) == (1, 1, 0)
    with pytest.raises(NotFoundError):
        files.content(store, row.id)
    if store.database.file is not None:
        store.database.vacuum()
        held = b"".join(path.read_bytes() for path in store.database.file.parent.iterdir())
        assert SECRET.encode() not in held
        assert b"ferry leaves" in held


@both
@pytest.mark.parametrize("emptied", [False, True])
def test_its_conversation_takes_it(emptied: bool) -> None:
    store = mine()
    identity = conversation(store)
    files.add(store, "a.txt", FERRY, identity)
    files.add(store, "b.txt", FERRY)
    (store.clear if emptied else store.delete)(identity)
    assert [each.name for each in files.listing(store)] == ["b.txt"]
    assert rows(store) == (1, 1, 0)


@both
def test_a_conversation_deleted_while_it_is_read_keeps_nothing() -> None:
    store = mine()
    identity = conversation(store)
    with pytest.raises(NotFoundError):
        files.add(store, "book.pdf", BOOK, identity, lambda done, _: store.delete(identity) if done == 1 else None)
    assert rows(store) == (0, 0, 0)


def test_a_process_that_ends_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    store = mine()
    identity = conversation(store)
    (book := tmp_path / "book.pdf").write_bytes(BOOK)
    folder = tmp_path / "tmp"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", READING, str(book), identity],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        process.send_signal(signal.SIGKILL)
    assert rows(store) == (0, 0, 0)
    assert list(folder.iterdir()) == []


def test_what_is_missing_from_a_file_is_said_until_it_is_dismissed() -> None:
    store = mine()
    identity = conversation(store)
    begun = reading.start(store, identity, "part.pdf", signs(UNMAPPED, "The lamp is green."))
    assert begun.finished.wait(60)
    assert (begun.error, begun.document is not None) == (None, True)
    assert str(begun.notice).startswith("part.pdf: page 1 could not be read, since the font")
    assert reading.running(store.database, identity) == [begun]
    reading.dismiss(store.database, identity, begun)
    assert reading.running(store.database, identity) == []


def test_in_the_background_with_progress(occupied: threading.Event) -> None:
    store = mine()
    identity = conversation(store)
    begun = [reading.start(store, identity, name, BOOK) for name in ("one.pdf", "two.pdf")]
    bad = reading.start(store, identity, "three.pdf", BOOK[:500])
    assert [each.label for each in reading.running(store.database, identity)] == [
        f"Reading {name}.pdf…" for name in ("one", "two", "three")
    ]
    occupied.set()
    assert all(each.finished.wait(60) for each in (*begun, bad))
    assert [(each.done, each.total, each.error) for each in begun] == [(20, 20, None)] * 2
    wait_for(lambda: reading.running(store.database, identity) == [bad])
    assert bad.error is not None
    assert bad.error.startswith("three.pdf is damaged")
    reading.dismiss(store.database, identity, bad)
    assert reading.running(store.database, identity) == []
    assert {each.name for each in files.listing(store, identity)} == {"one.pdf", "two.pdf"}


@both
def test_many_at_once() -> None:
    store = mine()
    identity = conversation(store)
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda n: files.add(store, f"{n}.txt", FERRY + b" %d" % n, identity), range(4)))
    assert {each.id for each in files.listing(store, identity)} == {each.id for each in added}
    assert rows(store) == (4, 4, 0)


@pytest.mark.parametrize("is_shared", [False, True], ids=["of the conversation", "of its project"])
def test_a_reply_waits_for_the_file_and_cites_it(
    loopback: Loopback, occupied: threading.Event, is_shared: bool
) -> None:
    store = mine()
    identity = conversation(store)
    project = projects.create(store, "Ships")
    projects.move(store, identity, project.id)
    begun = reading.start(store, *((None, "book.pdf", BOOK, project.id) if is_shared else (identity, "book.pdf", BOOK)))
    row = turn.send(store, identity, "How many sails has ship 7?", ask("openai"))
    reply = reply_writer(store.database).replies[row.id]
    wait_for(lambda: reply.activity == "Reading book.pdf…")
    assert loopback.requests == []
    occupied.set()
    assert begun.finished.wait(60)
    assert over(store, row).state == State.DONE
    sources = store.thread(identity).sources[row.id]
    assert (sources[0].file, sources[0].page, sources[0].location) == ("book.pdf", 7, "book.pdf, page 7")
    assert sources[0].quote == "Page 7 says that ship 7 has 77 sails."
    asked = loopback.requests[-1]["messages"]
    assert "Page 7 says that ship 7 has 77 sails." in asked[-1]["content"]
    assert store.message(store.branch(row.id)[0]).text == "How many sails has ship 7?"
    assert "note" not in (store.message(row.id).extra or {})
    assert reply.activity is None


def test_a_second_question_carries_no_passages_of_the_first(loopback: Loopback) -> None:
    store = mine()
    identity = conversation(store)
    files.add(store, "a.txt", FERRY, identity)
    over(store, turn.send(store, identity, "When does the ferry leave?", ask("openai")))
    row = over(store, turn.send(store, identity, "Purple elephants?", ask("openai")))
    said = [each["content"] for each in loopback.requests[-1]["messages"]]
    assert not any("four crowns" in each for each in said)
    assert store.thread(identity).sources.get(row.id) is None
    assert (row.extra or {})["note"] == NO_PASSAGE


def test_the_shipped_model_says_that_it_is_small() -> None:
    store = mine()
    identity = conversation(store)
    files.add(store, "book.pdf", BOOK, identity)
    row = over(store, turn.send(store, identity, "How many sails has ship 7?", ask(seed=1)))
    assert (row.extra or {})["note"] == SMALL_MODEL
    assert store.thread(identity).sources[row.id][0].page == 7
    long = "How many sails has ship 7? " + "word " * 700
    row = over(store, turn.send(store, identity, long, ask(seed=1)))
    assert (row.extra or {})["note"] == NO_ROOM
    assert row.id not in store.thread(identity).sources


@both
def test_citations_of_a_reply_that_is_stopped_regenerated_and_continued(loopback: Loopback) -> None:
    loopback.script.append("slow")
    store = mine()
    identity = conversation(store)
    document = files.add(store, "book.pdf", BOOK, identity)
    row = turn.send(store, identity, "How many sails has ship 7?", ask("openai"))
    grown(store, row, 10)
    watch.stop(store, row.id)
    assert over(store, row).state == State.STOPPED
    first = store.thread(identity).sources[row.id]
    assert first[0].page == 7
    over(store, turn.continue_reply(store, row.id, ask("openai")))
    assert store.thread(identity).sources[row.id] == first
    assert any("ship 7 has 77 sails" in each["content"] for each in loopback.requests[-1]["messages"])
    again = over(store, turn.regenerate(store, row.id, ask("openai")))
    assert store.thread(identity).sources == {again.id: first}
    files.delete(store, document.id)
    assert store.thread(identity).sources == {}
    assert rows(store) == (0, 0, 0)
    assert store.message(again.id).text


@both
def test_a_document_deleted_before_the_first_word_is_not_cited() -> None:
    store = mine()
    identity = conversation(store)
    document = files.add(store, "a.txt", FERRY, identity)
    row = over(store, turn.send(store, identity, "hi", ask(seed=1)))
    found = files.search(store, identity, "When does the ferry leave?")
    cite(store.database, row.id, {3: found[0]})
    assert store.thread(identity).sources[row.id] == [
        Source("a.txt", None, None, FERRY.decode(), found[0].metadata["score"], 3)
    ]
    files.delete(store, document.id)
    cite(store.database, row.id, {3: found[0]})
    assert rows(store) == (0, 0, 0)


def test_among_takes_each_document_once() -> None:
    store = mine()
    numbers = [files.add(store, f"{name}.txt", FERRY).id for name in "ab"]
    found = files.document_retriever(store, [*numbers, *numbers]).invoke("ferry")
    assert sorted(each.metadata["file"] for each in found) == ["a.txt", "b.txt"]
    assert files.document_retriever(store, []).invoke("ferry") == []
