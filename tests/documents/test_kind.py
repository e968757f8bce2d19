"""What a file is, by name and first bytes; and names as people see them."""

import pytest

from documents.errors import DocumentError
from documents.kind import MAX_NAME, counted_units, detect_kind, display_name


@pytest.mark.parametrize(
    ("name", "first", "said"),
    [
        ("a.exe", b"MZ", "a.exe: files of this kind are not read, only PDF"),
        ("README", b"hello", "README: files of this kind are not read, only PDF"),
        (".txt", b"hello", ".txt: files of this kind are not read, only PDF"),
        ("a.txt", b"", "a.txt is empty"),
        ("a.txt", b" \n\n", "a.txt is empty"),
        ("a.pdf", b"hello", "a.pdf is no PDF file: its first bytes are those of text"),
        ("a.pdf", b"PK\x03\x04", "a.pdf is no PDF file: its first bytes are those of a ZIP archive"),
        ("a.docx", b"%PDF-1.7", "a.docx is no DOCX file: its first bytes are those of a PDF"),
        ("a.txt", b"\xd0\xcf\x11\xe0", "a.txt is no TXT file: its first bytes are those of an Office file of before"),
        ("a.txt", b"%PDF-1.7", "a.txt is no TXT file: its first bytes are those of a PDF"),
        ("a.csv", b"PK\x03\x04", "a.csv is no CSV file: its first bytes are those of a ZIP archive"),
        ("a.html", b"\x89PNG\r\n", "a.html is no HTML file: its first bytes are those of a PNG picture"),
        ("a.md", b"{\\rtf1", "a.md is no MD file: its first bytes are those of an RTF file"),
        ("a.txt", b"ab\0c", "a.txt is no TXT file: its first bytes are those of binary data"),
    ],
)
def test_what_is_no_such_file(name: str, first: bytes, said: str) -> None:
    with pytest.raises(DocumentError, match="^" + said.replace(".", r"\.")):
        detect_kind(name, first)


@pytest.mark.parametrize(
    ("name", "first", "found"),
    [
        ("a.PDF", b"\n\n%PDF-1.7", "pdf"),
        ("a.docx", b"PK\x03\x04", "docx"),
        ("a.docm", b"PK\x03\x04", "docx"),
        ("a.docx", b"\xd0\xcf\x11\xe0", "docx"),
        ("a.markdown", b"#", "text"),
        ("a.log", b"x", "text"),
        ("a.htm", b"<p>", "html"),
        ("a.txt", b"\xff\xfea\0", "text"),
    ],
)
def test_what_is_one(name: str, first: bytes, found: str) -> None:
    assert detect_kind(name, first).name == found


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/notes.txt", "notes.txt"),
        ("C:\\Users\\me\\notes.md", "notes.md"),
        ("日本 1.txt", "日本 1.txt"),
        ("a\nb\x1b[31m\0.txt", "a_b_[31m_.txt"),
        ("a\u202etxt.exe", "a_txt.exe"),
        ("\ud800.txt", "_.txt"),
        ("", "document"),
        ("/", "document"),
        ("a\u2028b.md", "a_b.md"),
    ],
)
def test_names(given: str, shown: str) -> None:
    assert display_name(given) == shown


def test_a_long_name_keeps_its_ending() -> None:
    assert display_name("x" * 5000 + ".txt") == "x" * (MAX_NAME - 5) + "….txt"
    assert len(display_name("x." + "y" * 5000)) == MAX_NAME


def test_what_a_program_saves_otherwise_is_said() -> None:
    with pytest.raises(DocumentError, match=r"^a\.doc: files of this kind.*\. Save it as DOCX and attach that\.$"):
        detect_kind("a.doc", b"\xd0\xcf\x11\xe0")


@pytest.mark.parametrize(
    ("name", "units"), [("a.PPTX", "slides"), ("a.pdf", "pages"), ("a.txt", "pages"), ("a", "pages")]
)
def test_what_a_file_is_read_in(name: str, units: str) -> None:
    assert counted_units(name) == units
