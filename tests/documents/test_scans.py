"""Scanned PDF files: pages without letters, with letters and pictures, turned, large, and read again where they end."""

from collections.abc import Sequence
from io import BytesIO

import pytest
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from PIL import Image
from pypdfium2 import PdfDocument  # type: ignore[import-untyped]
from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

from documents.errors import DocumentError
from documents.load import load
from documents.part import Part
from documents.scan.raster import pictures_of, unread_places
from documents.settings import DocumentSettings
from tests.documents.scan.drawing import DEJAVU, draw, lines, needs_scans
from tests.documents.test_pdf import assembled

pytestmark = [pytest.mark.server, needs_scans]  # documents are read by a process of their own
A4 = (595, 842)
Pages = Sequence[tuple[Image.Image | None, str]]


def scan(pages: Pages, *, turn: int = 0, over: str = "") -> bytes:
    """A PDF: on each page a picture that covers it, or its lower half where there are words; `over` stands on each."""
    file = BytesIO()
    canvas = Canvas(file, invariant=True)
    for image, words in pages:
        canvas.setPageSize(A4)
        canvas.setPageRotation(turn)
        if image is not None:
            canvas.drawImage(ImageReader(image), 0, 0, A4[0], A4[1] / 2 if words else A4[1])
        for number, line in enumerate(words.splitlines()):
            canvas.drawString(72, 760 - 16 * number, line)
        if over:
            canvas.drawString(400, 20, over)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def sheet(*texts: str, size: tuple[int, int] = (1240, 1754)) -> Image.Image:
    return draw(lines(*texts), size=size)


def texts_of(data: bytes) -> list[str]:
    return [part.text for part in load("scan.pdf", data, DocumentSettings()).parts]


def test_pages_of_words_and_of_pictures() -> None:
    told: list[tuple[int, int]] = []
    pages = [(None, "This page has letters."), (sheet("The rent is due", "on the third."), ""), (None, ""),
             (sheet("The keys are with Marta."), "")]  # fmt: skip
    loaded = load("scan.pdf", scan(pages), DocumentSettings(), lambda done, of: told.append((done, of)))
    assert [part.text for part in loaded.parts] == [
        "This page has letters.",
        "The rent is due\non the third.",
        "",
        "The keys are with Marta.",
    ]
    assert [bool(part.lines) for part in loaded.parts] == [False, True, False, True]
    assert [part.picture is not None for part in loaded.parts] == [False, True, False, True]
    assert told == [(number, 4) for number in range(1, 5)]
    assert loaded.notice is None


def test_a_picture_below_words_is_read_after_them() -> None:
    picture = draw(lines("Receipt", "Candles 7.25"), size=(1240, 877))
    [part] = load("mixed.pdf", scan([(picture, "Dear Sir,\nhere is the receipt.")]), DocumentSettings()).parts
    assert part.text == "Dear Sir,\nhere is the receipt.\n\nReceipt\nCandles 7.25"
    assert [part.text[line.start : line.end] for line in part.lines] == ["Receipt", "Candles 7.25"]
    assert all(line.box[1] > 0.5 for line in part.lines)


def test_a_number_printed_over_a_scan_is_not_read_twice() -> None:
    [text] = texts_of(scan([(sheet("The rent is due on the third."), "")], over="EXHIBIT 0042"))
    assert text == "EXHIBIT 0042\n\nThe rent is due on the third."


def test_a_scan_that_was_read_before_is_left_as_it_is() -> None:
    file = BytesIO()
    canvas = Canvas(file, pagesize=A4)
    canvas.drawImage(ImageReader(sheet("The words in the picture.")), 0, 0, *A4)
    words = canvas.beginText(72, 760)
    words.setTextRenderMode(3)  # unseen, as programs for scans set what they found
    for _ in range(10):
        words.textLine("The words beneath it.")
    canvas.drawText(words)
    canvas.save()
    assert "picture" not in texts_of(file.getvalue())[0]


def test_a_picture_beyond_a_corner_of_the_page_is_none_of_its_pictures() -> None:
    file = BytesIO()
    canvas = Canvas(file, pagesize=A4)
    canvas.drawImage(ImageReader(sheet("Not on the page.")), A4[0] + 300, -900, 500, 600)
    canvas.save()
    assert pictures_of(PdfDocument(file.getvalue())[0]) == []


@pytest.mark.parametrize("place", [(2 * A4[0], 400), (-A4[0], 400), (72, -400)])
def test_letters_beside_the_page_are_not_those_of_its_picture(place: tuple[int, int]) -> None:
    file = BytesIO()
    canvas = Canvas(file, pagesize=A4)
    canvas.drawImage(ImageReader(sheet("The rent is due.")), 0, 0, *A4)
    for number in range(10):
        canvas.drawString(place[0], place[1] - 14 * number, "Nobody sees these words.")
    canvas.save()
    page = PdfDocument(file.getvalue())[0]
    assert len(unread_places(page, page.get_textpage(), pictures_of(page))) == 1


def test_a_letterhead_on_every_page_is_no_scan() -> None:
    letterhead = draw(lines("LIGHTHOUSE COMPANY"), size=(1240, 877))
    pages = texts_of(scan([(letterhead, f"This is letter {number}.") for number in range(1, 7)]))
    assert pages == [f"This is letter {number}." for number in range(1, 7)]


@pytest.mark.parametrize("turn", [90, 180])
def test_a_page_that_is_shown_turned(turn: int) -> None:
    upright = sheet("The rent is due", "on the third.").rotate(turn, expand=True)
    assert texts_of(scan([(upright, "")], turn=turn)) == ["The rent is due\non the third."]


def coded(text: str) -> bytes:
    """A page in a font that is in the file, by the numbers of its signs: no letter of it is told."""
    path = DEJAVU.with_name("DejaVuSansMono.ttf")  # all of one width
    with TTFont(path) as font:
        numbers, names = font.getReverseGlyphMap(), font.getBestCmap()
    shown = "".join(f"{numbers[names[ord(letter)]]:04X}" for letter in text)
    stream, program = f"BT /F 24 Tf 40 200 Td <{shown}> Tj ET".encode(), path.read_bytes()
    return assembled(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 300]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
            b"<</Type/Font/Subtype/Type0/BaseFont/ABCDEF+Own/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
            b"<</Type/Font/Subtype/CIDFontType2/BaseFont/ABCDEF+Own/FontDescriptor 7 0 R/DW 602/CIDToGIDMap/Identity"
            b"/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>>>",
            b"<</Type/FontDescriptor/FontName/ABCDEF+Own/Flags 4/FontBBox[0 0 1000 1000]/ItalicAngle 0/Ascent 800"
            b"/Descent -200/CapHeight 700/StemV 80/FontFile2 8 0 R>>",
            b"<</Length %d/Length1 %d>>stream\n%s\nendstream" % (len(program), len(program), program),
        ]
    )


def test_letters_of_an_unknown_font_are_read_from_the_page() -> None:
    loaded = load("a.pdf", coded("The lamp is green."), DocumentSettings())
    assert (loaded.parts[0].text, loaded.notice) == ("The lamp is green.", None)


def test_a_page_as_wide_as_a_wall_is_read_small() -> None:
    file = BytesIO()
    canvas = Canvas(file, pagesize=(20_000, 10_000))
    canvas.drawImage(ImageReader(draw(lines("A wide page"), size=(800, 400))), 0, 0, 20_000, 10_000)
    canvas.save()
    assert texts_of(file.getvalue()) == ["A wide page"]


def test_a_picture_that_is_too_large_is_named_with_its_page() -> None:
    data = scan([(sheet("one"), ""), (Image.new("1", (20_000, 20_000), 1), "")])
    with pytest.raises(DocumentError) as raised:
        load("scan.pdf", data, DocumentSettings())
    assert str(raised.value) == (
        "scan.pdf has on page 2 a picture of 20,000 x 20,000 pixels; at most 100 million are read (DOCUMENTS_MAX_PIXELS"
        "). Save it smaller and attach that."
    )


def test_pages_that_are_done_are_not_read_again() -> None:
    data = scan([(sheet("The first."), ""), (sheet("The second."), "")])
    came: list[Part] = []
    done = {1: Part("as it was read before", 1, 2, "page 1")}
    loaded = load("scan.pdf", data, DocumentSettings(), done=done, on_part=came.append)
    assert [part.text for part in loaded.parts] == ["as it was read before", "The second."]
    assert [part.page for part in came] == [2]
