"""PDF: hyphens at lines' ends, values of forms, notes, fonts without letters; each file is made here, and read."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import pytest
import reportlab  # type: ignore[import-untyped]
from langchain_core.documents import Document
from reportlab.lib.pdfencrypt import StandardEncryption  # type: ignore[import-untyped]
from reportlab.pdfbase import pdfmetrics  # type: ignore[import-untyped]
from reportlab.pdfbase.ttfonts import TTFont  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from documents.errors import DocumentError
from documents.load import load
from documents.search import Index
from documents.settings import DocumentSettings
from documents.split import split_parts
from settings import ROOT

pytestmark = pytest.mark.server  # documents are read by a process of their own
VERA = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
LINES = [
    "The keeper of the light-",
    "house is well-",
    "known. Smith-",
    "Jones made an end-",
    "to-end test of soft\u00ad",
]
LINES += ["hyphens, 1990-", "2000 -", "alone."]
UNMAPPED = "<003700480046000F00520053>"  # numbers of signs, in a font that says no letters


def drawn(draw: Callable[[Canvas], object], **options: object) -> bytes:
    """A PDF of one page."""
    file = BytesIO()
    canvas = Canvas(file, **options)
    draw(canvas)
    canvas.save()
    return file.getvalue()


def pages_of(data: bytes) -> list[str]:
    return [part.text for part in load("a.pdf", data, DocumentSettings()).parts]


def lines(canvas: Canvas) -> None:
    for number, line in enumerate(LINES):
        canvas.drawString(72, 760 - 15 * number, line)


def form(canvas: Canvas) -> None:
    """One field of each kind, and such as are not read."""
    canvas.drawString(72, 760, "Form of the lighthouse")
    at = {"x": 72, "y": 600, "width": 100, "height": 40}
    fields = canvas.acroForm
    fields.textfield(name="keeper", tooltip="Name of the keeper", value="Marta Ülgen", **at)
    fields.textfield(name="story", value="first line\nsecond line", fieldFlags="multiline", **at)
    fields.textfield(name="read.only", value="Zoë (1907)", fieldFlags="readOnly", fontName="Helvetica", **at)
    fields.textfield(name="secret", value="hush", fieldFlags="password", **at)
    fields.textfield(name="unseen", value="hush", annotationFlags="hidden", **at)
    fields.textfield(name="empty", value="", **at)
    fields.checkbox(name="lit", tooltip="The lamp is lit", checked=True, x=72, y=500)
    fields.checkbox(name="cold", checked=False, x=72, y=480)
    fields.choice(name="colour", value="green", options=[("red", "red"), ("green", "green")], **at)
    fields.listbox(name="days", value=["Mon", "Wed"], options=["Mon", "Tue", "Wed"], fieldFlags="multiSelect", **at)
    fields.radio(name="tide", value="high", selected=True, x=72, y=380)
    fields.radio(name="tide", value="low", selected=False, x=92, y=380)
    canvas.textAnnotation("A note by hand", Rect=[300, 600, 320, 620])


def signs(*texts: str) -> bytes:
    """A page for each text: between < and > signs of a font without letters, else words."""
    fonts = b"<</Font<</F 4 0 R/H 7 0 R>>>>"
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<<>>"]
    objects += [
        b"<</Type/Font/Subtype/Type0/BaseFont/ABCDEF+Some/Encoding/Identity-H/DescendantFonts[5 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/ABCDEF+Some/FontDescriptor 6 0 R/DW 600"
        b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
        b"<</Type/FontDescriptor/FontName/ABCDEF+Some/Flags 4/FontBBox[0 0 1000 1000]/ItalicAngle 0/Ascent 800"
        b"/Descent -200/CapHeight 700/StemV 80>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    kids = []
    for text in texts:
        shown = text if text.startswith("<") else f"({text})"
        font = "F" if text.startswith("<") else "H"
        stream = f"BT /{font} 12 Tf 20 200 Td {shown} Tj ET".encode()
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream))
        contents = len(objects)
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 300]/Contents %d 0 R/Resources %s>>" % (contents, fonts)
        objects.append(page)
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), len(kids))
    return assembled(objects)


def assembled(objects: list[bytes]) -> bytes:
    data, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj%sendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return data + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF" % (
        size,
        table,
        size,
        len(data),
    )


def test_words_cut_at_a_lines_end_are_found_and_shown_as_they_stand() -> None:
    (page,) = pages_of(drawn(lines))
    assert page == "\n".join(LINES).replace("\u00ad", "-")
    index = Index([Document(page), Document("another page")])
    for words in ("lighthouse", "well-known", "wellknown", "Smith-Jones", "Jones", "end-to-end", "softhyphens", "2000"):
        assert [each.page_content for each in index.search(words)] == [page], words


@pytest.fixture(scope="module")
def form_page() -> str:
    return pages_of(drawn(form))[0]


@pytest.mark.parametrize(
    "line",
    [
        "Form of the lighthouse",
        "Name of the keeper: Marta Ülgen",
        "story: first line\nsecond line",
        "read.only: Zoë (1907)",
        "The lamp is lit: yes",
        "cold: no",
        "colour: green",
        "days: Mon, Wed",
        "tide: high",
        "[Comment: A note by hand]",
    ],
)
def test_what_a_form_holds_is_read(form_page: str, line: str) -> None:
    assert f"\n{line}\n" in f"\n{form_page}\n"


def test_what_nobody_sees_in_a_form_is_not_read(form_page: str) -> None:
    assert "hush" not in form_page
    assert "empty" not in form_page
    assert form_page.count("tide") == 1


def test_signs_without_letters_are_said() -> None:
    with pytest.raises(DocumentError) as raised:
        pages_of(signs(UNMAPPED, " ", UNMAPPED))
    assert str(raised.value) == (
        "a.pdf cannot be read (pages 1 and 3): its font does not say which letters its signs stand for. "
        "Run OCR over it and attach it again."
    )


def test_of_some_pages_without_letters_the_others_are_read() -> None:
    loaded = load("a.pdf", signs(UNMAPPED, "The lamp is green.", UNMAPPED, "It is lit."), DocumentSettings())
    assert str(loaded.notice).startswith("a.pdf: pages 1 and 3 could not be read, since the font does not say")
    pages = [part.text for part in loaded.parts]
    assert pages[1::2] == ["The lamp is green.", "It is lit."]
    for number, page in zip((1, 3), pages[::2], strict=True):
        assert page.startswith(f"[Page {number} could not be read: its font does not say which letters")
    passages = list(split_parts(load("a.pdf", signs("The lamp.", UNMAPPED), DocumentSettings()).parts))
    assert [passage.place for passage in passages] == ["page 1", "page 2"]


def test_ligatures_turned_lines_and_scripts() -> None:
    pdfmetrics.registerFont(TTFont("Vera", str(VERA)))

    def draw(canvas: Canvas) -> None:
        canvas.setFont("Vera", 12)
        canvas.drawString(72, 700, "A conﬁdent ﬂame, café")
        canvas.rotate(90)
        canvas.drawString(72, -300, "turned words")

    page = Document(pages_of(drawn(draw))[0])
    for words in ("flame", "cafe", "turned", "confident"):
        assert Index([page]).search(words), words


def test_a_file_that_only_its_owner_may_change_is_read() -> None:
    encrypted = StandardEncryption(userPassword="", ownerPassword="secret")
    assert pages_of(drawn(lambda canvas: canvas.drawString(72, 700, "open"), encrypt=encrypted)) == ["open"]


def test_a_file_that_comes_through_a_pipe_is_read() -> None:
    limits = json.dumps(asdict(DocumentSettings().of_file(())))
    command = [sys.executable, "-m", "documents.child", "pdf", "/dev/stdin", limits]
    data = drawn(lambda canvas: canvas.drawString(72, 760, "The lamp is green."))
    done = subprocess.run(command, cwd=ROOT, input=data, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout)["text"] == "The lamp is green."
