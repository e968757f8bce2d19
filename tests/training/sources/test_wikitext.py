"""WikiText's own form, raw and tokenised, from text, gzip and parquet."""

import gzip
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from training import sources
from training.dialogue import Text
from training.sources import wikitext

ARTICLES = """\x20
 = Homarus gammarus = \x20
 \x20
 The lobster weighs 0 @.@ 7 – 2 @.@ 2 kg ( 1 @.@ 5 lb ) , and is " lobster red " on cooking . It did n't move .
 \x20
 = = Life cycle = = \x20
 \x20
 = = = Eggs = = = \x20
 \x20
 About 20 @,@ 000 survive to the <unk> phase . A hard @-@ shelled male 's claw is red ; it grows . A <unk> .
 \x20
 = = <unk> = = \x20
 \x20
 Seen in the sea .
 \x20
 = Robert Boulter = \x20
 \x20
 He is an actor .
"""


def texts(raw: Path | None) -> list[str]:
    found = [one for one in sources.read("wikitext", raw) if isinstance(one, Text)]
    assert all(one.source == "wikitext" for one in found)
    return [one.text for one in found]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "wiki.train.raw"
    path.write_text(ARTICLES, encoding="utf-8")
    return path


def test_articles_read_naturally(plain: Path) -> None:
    first, second = texts(plain)
    assert first.split("\n\n") == [
        "Homarus gammarus",
        'The lobster weighs 0.7 – 2.2 kg (1.5 lb), and is "lobster red" on cooking. It didn\'t move.',
        "Life cycle",
        "Eggs",
        "A hard-shelled male's claw is red; it grows.",
        "Seen in the sea.",
    ]
    assert second == "Robert Boulter\n\nHe is an actor."


def test_every_form_gives_the_same(plain: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parquet"
    folder.mkdir()
    table = pyarrow.table({"text": ["", *(f"{line}\n" for line in ARTICLES.splitlines())]})
    pyarrow.parquet.write_table(table, folder / "train-00000-of-00001.parquet", row_group_size=3)
    packed = tmp_path / "wikitext.txt.gz"
    packed.write_bytes(gzip.compress(ARTICLES.encode()))
    assert texts(plain) == texts(folder) == texts(packed)


def test_a_very_long_article_goes_on_at_a_section(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wikitext, "LONG", 20)
    assert [text.partition("\n")[0] for text in texts(plain)] == [
        "Homarus gammarus",
        "Life cycle",
        "Seen in the sea.",
        "Robert Boulter",
    ]


def test_text_without_headings_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "flat.txt"
    path.write_text((" " + "A sentence of some words . " * 40 + "\n") * 400)
    found = texts(path)
    assert len(found) > 3
    assert max(map(len, found)) < wikitext.LONGEST + 2_000


def test_a_parquet_file_without_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"words": ["a"]}), path)
    with pytest.raises(ValueError, match=r"other\.parquet: not a parquet file with a column `text`"):
        texts(path)
    path.write_bytes(b"no parquet at all")
    with pytest.raises(ValueError, match=r"other\.parquet: not a parquet file"):
        texts(path)


def test_wrong_encoding_empty_and_missing(tmp_path: Path) -> None:
    path = tmp_path / "wiki.txt"
    path.write_bytes(b" = A = \n \n caf\xe9 .\n")
    with pytest.raises(ValueError, match=r"wiki\.txt, line 3: not UTF-8"):
        texts(path)
    path.write_text(" = Only a heading = \n")
    with pytest.raises(ValueError, match=r"wikitext: there is nothing in .*wiki\.txt"):
        texts(path)
    with pytest.raises(FileNotFoundError, match=r"wikitext: .*none does not exist"):
        texts(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"wikitext: .*empty has no file that ends in \.txt"):
        texts(tmp_path / "empty")


def test_a_closed_network_says_the_remedy() -> None:
    """The tests run with HF_HUB_OFFLINE=1, which `datasets` treats as no network."""
    with pytest.raises(sources.UnreachableError, match=r"Salesforce/wikitext.*--raw wikitext=PATH"):
        texts(None)
