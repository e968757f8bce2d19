"""Books of EPUB 2 and 3, by hand: which files are read, in which order, and how their chapters are named."""

from pathlib import Path

import pytest

from documents.part import Limits, UnreadableFileError
from documents.readers import epub
from tests.documents.office import package

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
NCX = "http://www.daisy.org/z3986/2005/ncx/"
ENCRYPTED = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
    '<e:EncryptedData><e:EncryptionMethod Algorithm="{}"/></e:EncryptedData></encryption>'
)


def page(body: str, title: str = "A book") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>{title}</title></head><body>{body}</body></html>'
    )


def nav(*links: tuple[str, str]) -> str:
    rows = "".join(f'<li><a href="{href}">{label}</a></li>' for href, label in links)
    return page(
        f'<nav epub:type="toc" id="toc"><ol>{rows}</ol></nav><nav epub:type="landmarks"><a href="x">Start</a></nav>'
    )


def ncx(*links: tuple[str, str]) -> str:
    rows = "".join(
        f'<navPoint><navLabel><text>{label}</text></navLabel><content src="{href}"/></navPoint>'
        for href, label in links
    )
    return f'<ncx xmlns="{NCX}"><navMap>{rows}</navMap></ncx>'


def book(files: dict[str, str | bytes], order: list[str], others: dict[str, str] | None = None) -> bytes:
    """A book with these files, read in this order; `others` stand beside its folder."""
    kinds = {"nav.xhtml": 'properties="nav"', "toc.ncx": 'media-type="application/x-dtbncx+xml"'}
    items = "".join(f'<item id="{name}" href="{name}" {kinds.get(name, "")}/>' for name in files)
    spine = "".join(f'<itemref idref="{name}"/>' for name in order)
    opf = f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest><spine>{spine}</spine></package>'
    inside = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OEBPS/book.opf": opf}
    return package({**inside, **(others or {}), **{f"OEBPS/{name}": content for name, content in files.items()}})


def chapters_of(folder: Path, data: bytes) -> list[tuple[str | None, str]]:
    """Places and texts of what is read of these bytes."""
    path = folder / "a.epub"
    path.write_bytes(data)
    return [(part.place, part.text) for part in epub.read(path, Limits(10, 1_000_000))]


ONE, TWO = page("<h1>The lamp</h1><p>It is green.</p>"), page("<h1>The keeper</h1><p>Marta keeps it.</p>")
LAMP, KEEPER = ("The lamp", "The lamp\n\nIt is green."), ("The keeper", "The keeper\n\nMarta keeps it.")
IN_ONE = page(
    "<p>Foreword.</p><h2 id='c1'>The lamp</h2><p>It is green.</p>"
    "<div><h2><a id='c2'/>The keeper</h2></div><p>Marta keeps it.</p>"
)


@pytest.mark.parametrize(
    ("data", "chapters"),
    [
        (
            book(
                {"2.xhtml": TWO, "1.xhtml": ONE, "nav.xhtml": nav(("1.xhtml", "The lamp"), ("2.xhtml", "The keeper"))},
                ["1.xhtml", "2.xhtml"],
            ),
            [LAMP, KEEPER],
        ),
        (
            book(
                {
                    "1.xhtml": ONE,
                    "2.xhtml": TWO,
                    "toc.ncx": ncx(("1.xhtml", "The lamp"), ("2.xhtml#top", "The keeper")),
                },
                ["2.xhtml", "1.xhtml"],
            ),
            [("section 1", KEEPER[1]), LAMP],
        ),
        (
            book(
                {
                    "all.xhtml": IN_ONE,
                    "nav.xhtml": nav(("all.xhtml#c1", "The lamp"), ("all.xhtml#c2", "The <b>keeper</b>")),
                },
                ["all.xhtml"],
            ),
            [("section 1", "Foreword."), LAMP, KEEPER],
        ),
        (
            book(
                {"1.xhtml": ONE, "1b.xhtml": page("<p>More.</p>"), "nav.xhtml": nav(("1.xhtml", "The lamp"))},
                ["1.xhtml", "1b.xhtml"],
            ),
            [("The lamp", f"{LAMP[1]}\n\nMore.")],
        ),
        (
            book(
                {
                    "1.xhtml": ONE,
                    "2.xhtml": TWO,
                    "3.xhtml": ONE,
                    "nav.xhtml": nav(("1.xhtml", "A"), ("2.xhtml", "B"), ("3.xhtml", "A")),
                },
                ["1.xhtml", "2.xhtml", "3.xhtml"],
            ),
            [("A", LAMP[1]), ("B", KEEPER[1]), ("A (2)", LAMP[1])],
        ),
        (
            book({"1.xhtml": ONE, "cover.xhtml": page("<img src='x.png'/>")}, ["cover.xhtml", "1.xhtml", "gone.xhtml"]),
            [("section 1", LAMP[1])],
        ),
        (
            book({"a b.xhtml": ONE, "nav.xhtml": nav(("a%20b.xhtml", "Ebb &amp; flow"))}, ["a b.xhtml"]),
            [("Ebb & flow", LAMP[1])],
        ),
        (book({"1.xhtml": page("light<i>house</i>&nbsp;&eacute;")}, ["1.xhtml"]), [("section 1", "lighthouse é")]),
        (
            book({"1.xhtml": page("Größe").replace("utf-8", "iso-8859-1").encode("iso-8859-1")}, ["1.xhtml"]),
            [("section 1", "Größe")],
        ),
        (
            book(
                {"1.xhtml": ONE},
                ["1.xhtml"],
                {"META-INF/encryption.xml": ENCRYPTED.format("http://www.idpf.org/2008/embedding")},
            ),
            [("section 1", LAMP[1])],
        ),
    ],
    ids=["nav", "ncx", "in one file", "split chapter", "same name", "cover", "spaces", "entities", "encoding", "fonts"],
)
def test_chapters(tmp_path: Path, data: bytes, chapters: list[tuple[str, str]]) -> None:
    assert chapters_of(tmp_path, data) == chapters


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            book(
                {"1.xhtml": ONE},
                ["1.xhtml"],
                {"META-INF/encryption.xml": ENCRYPTED.format("http://www.w3.org/2001/04/xmlenc#aes256-cbc")},
            ),
            "is protected against copying (DRM)",
        ),
        (book({}, [], {"META-INF/rights.xml": "<rights/>"}), "is protected against copying (DRM)"),
        (book({}, []), "is damaged or cut short"),
        (package({"letter.txt": "hello"}), "is no EPUB book inside"),
        (package({"META-INF/container.xml": CONTAINER}), "is no EPUB book inside"),
        (b"PK\x03\x04" + bytes(100), "is damaged or cut short"),
    ],
)
def test_what_is_no_book_that_can_be_read(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFileError) as raised:
        chapters_of(tmp_path, data)
    assert str(raised.value).startswith(said)
