"""Scanned files that are kept: their pages' pictures, whose they are, and what a process that was killed leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from conversations.library import files, reading, scans
from conversations.store.scan_tables import PagePicture, Scan, ScanPage
from conversations.store.schema import Document, Passage
from conversations.store.store import Store
from documents.errors import DocumentError
from documents.part import Part, part_to_json
from settings import ROOT
from tests.conversations.talk import mine, wait_for
from tests.documents.scan.drawing import draw, encode, lines, needs_scans
from tests.documents.test_scans import scan, sheet

pytestmark = [pytest.mark.server, needs_scans]  # documents are read by a process of their own
SHEETS = [f"This is sheet number {number} of the contract." for number in range(1, 7)]
READER = """
import sys
from pathlib import Path
from conversations.library import files
from conversations.store import Store, connect
store = Store(connect(sys.argv[1]), "me")
files.add(store, "contract.pdf", Path(sys.argv[2]).read_bytes(), sys.argv[3])
"""


def contract() -> bytes:
    return scan([(sheet(text), "") for text in SHEETS])


def conversation(store: Store) -> str:
    with store.database.writing() as session:
        return store.create(session).id


def count(store: Store, table: type[PagePicture | Passage | Scan | ScanPage | Document]) -> int:
    with store.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_scan_is_found_with_its_page_and_region_and_shown_to_its_owner_alone() -> None:
    store, other = mine(), mine("somebody else")
    where = conversation(store)
    row = files.add(store, "contract.pdf", scan([(None, ""), (sheet("The rent is due on the third."), "")]), where)
    [found] = files.search(store, where, "When is the rent due?")
    assert (found.metadata["page"], found.metadata["place"]) == (2, "page 2")
    [(left, top, right, bottom)] = found.metadata["region"]
    assert 0 < left < right < 1
    assert 0 < top < bottom < 0.2
    picture = files.page_picture(store, row.id, 2)
    assert picture is not None
    assert picture.startswith(b"RIFF")
    assert files.page_picture(store, row.id, 1) is None
    assert files.page_picture(other, row.id, 2) is None
    assert (count(store, Scan), count(store, ScanPage), count(store, PagePicture)) == (0, 0, 1)
    files.delete(store, row.id)
    assert count(store, PagePicture) == 0


def test_a_file_that_fails_in_the_middle_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCUMENTS_MAX_PIXELS", "3000000")
    monkeypatch.setenv("DOCUMENTS_SCAN_WORKERS", "1")
    store = mine()
    large = draw(lines("too large"), size=(2000, 2000))
    with pytest.raises(DocumentError, match="has on page 4 a picture of 2,000 x 2,000 pixels"):
        files.add(store, "a.pdf", scan([*((sheet(text), "") for text in SHEETS[:3]), (large, "")]), conversation(store))
    assert [count(store, table) for table in (Document, Passage, Scan, ScanPage, PagePicture)] == [0] * 5


def test_pages_that_a_killed_process_has_read_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = mine()
    where, path = conversation(store), tmp_path / "contract.pdf"
    path.write_bytes(contract())
    command = [sys.executable, "-c", READER, os.environ["DATABASE_URL"], str(path), where]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DOCUMENTS_SCAN_WORKERS": "1"}
    with subprocess.Popen(command, env=environment) as process:
        wait_for(lambda: count(store, ScanPage) >= 2 or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
    kept = count(store, ScanPage)
    assert (2 <= kept < len(SHEETS), count(store, Document)) == (True, 0)
    with store.database.writing() as session:  # whoever reads the page again would find other words
        session.execute(update(ScanPage).where(ScanPage.page == 1).values(part=_as_kept()))
    monkeypatch.setattr(scans, "DEAD", 0.5)
    reading.resume(store.database)
    wait_for(lambda: files.listing(store, where))
    [row] = files.listing(store, where)
    assert files.content(store, row.id).split("\n\n") == ["The first page as it was kept.", *SHEETS[1:]]
    assert (row.name, row.pages) == ("contract.pdf", 6)
    assert (count(store, Scan), count(store, ScanPage), count(store, PagePicture)) == (0, 0, 5)


def _as_kept() -> str:
    return part_to_json(Part("The first page as it was kept.", 1, 6, "page 1"))


def test_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    store = mine()
    first = scans.begin(store, "a.pdf", b"%PDF", None)
    first.keep(Part("one", 1, 2, "page 1", picture=b"picture"))
    assert scans.take_over(store.database, str(first.id)) is None
    second = scans.begin(store, "a.pdf", b"%PDF", None)
    assert (second.id, second.done) == (None, {})
    first.forget()
    assert count(store, ScanPage) == 0


def test_the_same_file_given_again_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    store, part = mine(), Part("one", 1, 2, "page 1", picture=b"picture")
    scans.begin(store, "a.pdf", b"%PDF", None).keep(part)
    monkeypatch.setattr(scans, "DEAD", -1.0)
    for other in (
        scans.begin(store, "a.pdf", b"%PDF other", None),
        scans.begin(mine("somebody else"), "a.pdf", b"%PDF", None),
        scans.begin(store, "a.pdf", b"%PDF", conversation(store)),
    ):
        assert other.done == {}
    assert scans.begin(store, "a.pdf", b"%PDF", None).done == {1: part}


def test_a_conversation_that_is_deleted_meanwhile_ends_the_reading() -> None:
    store = mine()
    where = conversation(store)
    begun = reading.start(store, where, "contract.pdf", contract())
    wait_for(lambda: count(store, ScanPage) or begun.finished.is_set())
    store.delete(where)
    assert begun.finished.wait(300)
    assert begun.error is not None
    assert [count(store, table) for table in (Document, Scan, ScanPage)] == [0] * 3


def test_a_photograph_is_kept_like_any_file() -> None:
    store = mine()
    where = conversation(store)
    row = files.add(store, "receipt.jpg", encode(draw(lines("Candles 7.25")), "JPEG"), where)
    assert (row.kind, row.pages, files.describe(row)) == ("picture", 1, ["1 page", "1 passage"])
    assert [each.metadata["place"] for each in files.search(store, where, "candles")] == ["page 1"]
