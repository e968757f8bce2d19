"""Plain text of all sizes."""

import gzip
from pathlib import Path

import pytest

from training import sources
from training.dialogue import Text
from training.sources import text

BOOK = "\n\n\nA TITLE\n\n\n\nThe first line of it\nand the second.  \n\n‘A quotation,’ she said.\n"


def texts(raw: Path | None) -> list[str]:
    return [one.text for one in sources.read("text", raw) if isinstance(one, Text)]


def test_paragraphs_keep_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text(BOOK, encoding="utf-8-sig")
    assert texts(path) == ["A TITLE\n\nThe first line of it\nand the second.\n\n‘A quotation,’ she said."]


def test_a_folder_of_every_kind_and_no_text_across_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.md").write_text("# Second\n")
    (tmp_path / "a.txt").write_text("First\r\n")
    (tmp_path / "deep/c.txt.gz").write_bytes(gzip.compress(b"Third\n"))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    assert texts(tmp_path) == ["First", "# Second", "Third"]


def test_texts_are_bounded_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    paragraphs = [f"Paragraph {i}.\n" + f"word{i} " * 100 for i in range(100)]
    path.write_text("\n\n".join(paragraphs))
    found = texts(path)
    assert all(text.ENOUGH < len(one) < text.MOST for one in found[:-1])
    assert all(one.startswith("Paragraph") for one in found)
    assert " ".join(found).split() == " ".join(paragraphs).split()


def test_one_endless_paragraph_is_bounded_too(tmp_path: Path) -> None:
    path = tmp_path / "endless.txt"
    words = [f"word{i}" for i in range(20_000)]
    path.write_text("\n".join(words[:10_000]) + "\n" + " ".join(words[10_000:]))
    found = texts(path)
    assert max(map(len, found)) < 2 * text.MOST + 100
    assert " ".join(found).split() == words


def test_a_wrong_byte_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"fine\nfine\ncaf\xe9\n")
    with pytest.raises(ValueError, match=r"latin\.txt, line 3: not UTF-8 .*save the file as UTF-8"):
        texts(path)


def test_a_broken_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "book.txt.gz"
    whole = gzip.compress(BOOK.encode() * 1_000)
    for broken in (whole[: len(whole) // 2], b"no gzip", whole[:40] + b"\x00" * 20 + whole[60:]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"book\.txt\.gz, after line \d+: not a whole gzip file"):
            texts(path)


def test_empty_missing_and_unnamed(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.write_text("\n \n")
    with pytest.raises(ValueError, match=r"text: there is nothing in .*empty\.txt"):
        texts(path)
    with pytest.raises(FileNotFoundError, match=r"text: .*none\.txt does not exist"):
        texts(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="--raw text=PATH"):
        texts(None)
