"""Files of every kind as text, and what is said of those that cannot be read. Each is read by the real process."""

import re
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from documents.errors import DocumentError
from documents.load import ENVIRONMENT, load
from documents.part import Part
from documents.settings import DocumentSettings
from documents.split import join_parts, split_parts
from tests.documents.office import docx, holding, lying, markup, package
from tests.pdf import pdf

pytestmark = pytest.mark.server  # documents are read by a process of their own

HTML = b"""<html><head><title>Ferry</title><style>p {color: red}</style><script>alert("no")</script></head>
<body><h1>Times</h1><p>The ferry leaves at nine.</p><template>no</template><!-- no --></body></html>"""
FEW = DocumentSettings(max_pages=3, max_characters=100)
PAGES = pdf([f"This is page {number}." for number in range(1, 6)])
NO_PAGES = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF"
)
ENTITIES = (
    b'<!DOCTYPE x [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (number, b"&a%d;" % (number - 1) * 10) for number in range(1, 11))
    + b"]>"
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


def locked() -> bytes:
    """A PDF that opens with a password."""
    file = BytesIO()
    canvas = Canvas(file, encrypt="secret")
    canvas.drawString(72, 700, "hidden")
    canvas.save()
    return file.getvalue()


def archive() -> bytes:
    """A ZIP that is nothing else."""
    file = BytesIO()
    with ZipFile(file, "w") as made:
        made.writestr("letter.txt", "hello")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.docx", docx("The ferry leaves at nine.", "Bring a coat."), "The ferry leaves at nine.\n\nBring a coat."),
        ("a.MD", b"# Times\n\nThe *ferry*.\n", "# Times\n\nThe *ferry*.\n"),
        ("a.txt", "\ufeffGrüße, 日本".encode(), "Grüße, 日本"),
        ("a.txt", "Grüße, 日本".encode("utf-16"), "Grüße, 日本"),
        ("a.txt", b"\xfe\xff" + "Grüße".encode("utf-16-be"), "Grüße"),
        ("a.txt", "Viele Grüße".encode("latin-1"), "Viele Grüße"),
        ("a.csv", "größe;ort\n5;Köln\n".encode("cp1252").replace(b";", b","), "größe: 5\nort: Köln"),
        ("a.csv", b"name,age\nTom,4\nAnn,5\n", "name: Tom\nage: 4\n\nname: Ann\nage: 5"),
        ("a.csv", "name\n日本\n".encode("utf-16"), "name: 日本"),
    ],
)
def test_text_of_each_kind(name: str, data: bytes, text: str) -> None:
    found = load(name, data, DocumentSettings())
    assert [part.text for part in found.parts] == [text]
    assert [part.page for part in found.parts] == [None]


def test_html_without_what_nobody_sees() -> None:
    words = load("a.html", HTML, DocumentSettings()).parts[0].text.split()
    assert words == ["Ferry", "Times", "The", "ferry", "leaves", "at", "nine."]


def test_a_pdf_page_by_page_and_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    found = load("a.pdf", PAGES, DocumentSettings(), lambda done, of: told.append((done, of)))
    assert [part.text for part in found.parts] == [f"This is page {number}." for number in range(1, 6)]
    assert told == [(number, 5) for number in range(1, 6)]
    for piece in split_parts(found.parts):
        assert join_parts(found.parts)[piece.start : piece.end] == piece.text
        assert piece.text == f"This is page {piece.page}." == f"This is {piece.place}."


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.pdf", pdf(["", ""]), "a.pdf holds no text, "),
        ("a.pdf", locked(), "a.pdf is protected by a password: save it without one"),
        ("a.pdf", PAGES[: len(PAGES) // 2], "a.pdf is damaged or cut short"),
        ("a.pdf", NO_PAGES, "a.pdf is damaged or cut short"),
        ("a.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 40, "a.pdf is damaged or cut short"),
        ("a.docx", docx("hello")[:9000], "a.docx is damaged or cut short"),
        ("a.docx", archive(), "a.docx is no Word document inside"),
        ("a.docx", holding(b"<w:docu"), "a.docx is damaged or cut short"),
        ("a.docx", holding(markup(b"&a10;", ENTITIES)), "a.docx is damaged or cut short"),
        ("a.docx", holding(markup(b"&e;", OUTSIDE)), "a.docx is damaged or cut short"),
        (
            "a.xlsx",
            package({"xl/workbook.xml": ENTITIES + b"<workbook>&a10;</workbook>"}),
            "a.xlsx is damaged or cut short",
        ),
        (
            "a.pptx",
            docx("hello"),
            "a.pptx is a Word document inside, though it is named like a PowerPoint presentation.",
        ),
        ("a.docx", lying(holding(markup(b"a" * 9_000_000)), 500), "a.docx is damaged or cut short"),
        ("a.csv", b",".join([b"x"] * 10_000) + b"\n", "a.csv has 10,000 columns in row 1; at most 500"),
        ("a.csv", b",,\n", "a.csv holds no words"),
        ("a.html", b"<script>alert(1)</script>", "a.html holds no words"),
        ("a.txt", b"\xff\xfea", "a.txt is not UTF-8 (byte 2): save it so"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(name: str, data: bytes, said: str) -> None:
    refused(name, data, said, DocumentSettings())


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.pdf", PAGES, "a.pdf has 5 pages; at most 3 are read (DOCUMENTS_MAX_PAGES). Attach a part of it."),
        ("a.txt", b"a" * 101, "a.txt holds more than 100 characters (DOCUMENTS_MAX_CHARACTERS). Attach a part of it."),
        ("a.docx", holding(markup(b"a" * 19_000_000)), "a.docx would unpack to 20 MB of markup, too much"),
    ],
)
def test_limits(name: str, data: bytes, said: str) -> None:
    refused(name, data, said, FEW)


def refused(name: str, data: bytes, said: str, limits: DocumentSettings) -> None:
    """One line, which begins so and ends with what to do."""
    with pytest.raises(DocumentError) as raised:
        load(name, data, limits)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_what_is_too_large_is_never_read() -> None:
    refused(
        "a.txt",
        bytes(200_000_000),
        "a.txt has 200.0 MB; at most 50.0 MB are read (DOCUMENTS_MAX_BYTES).",
        DocumentSettings(),
    )


def test_html_that_takes_forever_ends_with_its_time() -> None:
    said = "a.html takes more than 1 s to read (DOCUMENTS_SECONDS); nothing of it was kept. Attach a part of it."
    refused("a.html", b"<div>" * 1_500_000 + b"deep", said, DocumentSettings(seconds=1))


def test_deep_html_is_read() -> None:
    assert load("a.html", b"<div>" * 20_000 + b"deep", DocumentSettings()).parts == [Part("deep")]


def test_a_reader_that_breaks_off_is_a_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that dies like one whose library crashed: it cannot even be started as it should be."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "child.py").write_text("import os\nos.abort()\n")
    monkeypatch.setattr("documents.load.ROOT", tmp_path)
    refused("a.txt", b"hello", "a.txt: its reader broke off over it, so nothing of it was kept.", DocumentSettings())


def test_the_reader_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked by a stand-in that tells what it was given."""
    (tmp_path / "documents").mkdir()
    tell = "import json, os, sys\nprint(json.dumps({'text': repr((dict(os.environ), sys.argv))}))\n"
    (tmp_path / "documents" / "child.py").write_text(tell)
    monkeypatch.setattr("documents.load.ROOT", tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hush")
    said = load("--help $(touch x).txt", b"hello", DocumentSettings()).parts[0].text
    assert "sk-hush" not in said
    assert "--help" not in said
    assert set(re.findall(r"'([A-Z_]+)':", said)) - {"LC_CTYPE"} == set(ENVIRONMENT)


@pytest.mark.parametrize("kind", ["pdf", "docx", "xlsx", "pptx", "epub", "csv", "html", "text"])
def test_noise_is_refused_or_read_but_nothing_breaks(kind: str) -> None:
    marks = {"pdf": b"%PDF-1.7\n"} | dict.fromkeys(("docx", "xlsx", "pptx", "epub"), b"PK\x03\x04")
    ending = {"text": "txt"}.get(kind, kind)
    for seed in (3, 7):
        data = marks.get(kind, b"x") + bytes(1 + (seed * at * at) % 255 for at in range(5000))
        with pytest.raises(DocumentError):
            load(f"a.{ending}", data, DocumentSettings())
