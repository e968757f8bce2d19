"""Presentations: real ones by python-pptx, and markup that it does not write."""

from io import BytesIO
from pathlib import Path

import pytest
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from documents.part import Limits, Part, UnreadableFileError
from documents.readers import pptx
from tests.documents.office import OFFICE, PREFIXES, STRICT_OFFICE, package, relationships, word

TRANSITIONAL = "http://schemas.openxmlformats.org/presentationml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/presentationml/main"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
BOX = Inches(1), Inches(1), Inches(3), Inches(2)


def parts_of(folder: Path, data: bytes, slides: int = 10) -> list[Part]:
    """What is read of a file with these bytes."""
    path = folder / "a.pptx"
    path.write_bytes(data)
    return list(pptx.read(path, Limits(slides, 1_000_000)))


def deck() -> bytes:
    """Three slides: a title with notes, a group with a table and a chart, and one without a word."""
    made, file = Presentation(), BytesIO()
    first = made.slides.add_slide(made.slide_layouts[1])
    first.placeholders[1].text = "Ardmore is green.\nBantry is red."
    first.shapes.title.text = "Lights"
    first.notes_slide.notes_text_frame.text = "Say who keeps them: Marta."
    second = made.slides.add_slide(made.slide_layouts[6])
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(*BOX).text_frame.text = "Grouped."
    table = second.shapes.add_table(2, 2, *BOX).table
    for row, texts in enumerate((("place", "colour"), ("Ardmore", "green"))):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    data = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = ["2025", "2026"]
    data.add_series("Ships", (5, 7.5))  # type: ignore[no-untyped-call]
    second.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *BOX, data)
    made.slides.add_slide(made.slide_layouts[6])
    made.save(file)
    return file.getvalue()


def by_hand(shapes: str, space: str = TRANSITIONAL, office: str = OFFICE, parts: dict[str, str] | None = None) -> bytes:
    """A presentation with one slide, which has these shapes; `parts` are named by the slide, by name and markup."""
    tree = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
    slide = f'<p:sld xmlns:p="{space}" xmlns:a="{DRAWING}" {PREFIXES}>{tree}</p:sld>'
    main = (
        f'<p:presentation xmlns:p="{space}" xmlns:r="{office}"><p:sldIdLst><p:sldId id="256" r:id="rId1"/></p:sldIdLst>'
        "</p:presentation>"
    )
    others = parts or {}
    return package(
        {
            "_rels/.rels": relationships({"ppt/presentation.xml": "officeDocument"}, office),
            "ppt/presentation.xml": main.replace(OFFICE, office),
            "ppt/_rels/presentation.xml.rels": relationships({"slides/slide7.xml": "slide"}, office),
            "ppt/slides/slide7.xml": slide.replace(OFFICE, office),
            "ppt/slides/_rels/slide7.xml.rels": relationships({f"../{name}": "other" for name in others}, office),
        }
        | {f"ppt/{name}": content for name, content in others.items()}
    )


def shape(inside: str, placeholder: str = "") -> str:
    return f"<p:sp><p:nvSpPr><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr><p:txBody><a:p>{inside}</a:p></p:txBody></p:sp>"


def run(text: str) -> str:
    return f"<a:r><a:t>{text}</a:t></a:r>"


def test_slides_in_order_with_notes_tables_groups_and_charts(tmp_path: Path) -> None:
    parts = parts_of(tmp_path, deck())
    assert [(part.page, part.of, part.place) for part in parts] == [(at, 3, f"slide {at}") for at in (1, 2, 3)]
    first, second, third = (part.text for part in parts)
    assert first == "Lights\n\nArdmore is green.\nBantry is red.\n\nNotes: Say who keeps them: Marta."
    assert second == "Grouped.\n\nplace | colour\nArdmore | green\n\nShips: 2025 5; 2026 7.5"
    assert third == ""


DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
SMART = f'<dgm:dataModel xmlns:dgm="{DIAGRAM}" xmlns:a="{DRAWING}">{{}}</dgm:dataModel>'
POINTS = "".join(f"<dgm:pt><dgm:t><a:p>{run(text)}</a:p></dgm:t></dgm:pt>" for text in ("Light", "Shine"))
FRAME = (
    f'<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds xmlns:dgm="{DIAGRAM}" r:dm="rId1"/></a:graphicData>'
    "</a:graphic></p:graphicFrame>"
)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (by_hand(shape(run("light") + run("house"))), "lighthouse"),
        (by_hand(shape(run("lamp"), "<p:ph/>"), STRICT, STRICT_OFFICE), "lamp"),
        (by_hand(shape(run("one") + "<a:br/>" + run("two"))), "one\ntwo"),
        (by_hand(shape(run("Body")) + shape(run("Title"), '<p:ph type="ctrTitle"/>')), "Title\n\nBody"),
        (
            by_hand(
                shape(run("7"), '<p:ph type="sldNum"/>') + shape(run("Harbour"), '<p:ph type="ftr"/>') + shape(run("a"))
            ),
            "a",
        ),
        (by_hand(shape('<a:fld type="datetime"><a:t>today</a:t></a:fld>')), "today"),
        (
            by_hand(
                f"<mc:AlternateContent><mc:Choice>{shape(run('new'))}</mc:Choice><mc:Fallback>{shape(run('old'))}</mc:Fallback>"
                "</mc:AlternateContent>"
            ),
            "new",
        ),
        (
            by_hand(shape("<m:oMathPara><m:oMath><m:r><m:t>E=1</m:t></m:r></m:oMath></m:oMathPara>")),
            "E=1",
        ),
        (by_hand(FRAME, parts={"diagrams/data1.xml": SMART.format(POINTS)}), "Light\nShine"),
        (by_hand(f"<p:grpSp><p:grpSp>{shape(run('deep'))}</p:grpSp></p:grpSp>"), "deep"),
        (
            by_hand(
                f'<p:graphicFrame><a:tbl><a:tr><a:tc gridSpan="2"><a:p>{run("wide")}</a:p></a:tc><a:tc hMerge="1"/>'
                f"<a:tc><a:p>{run('c')}</a:p></a:tc></a:tr></a:tbl></p:graphicFrame>"
            ),
            "wide | c",
        ),
    ],
)
def test_markup_of_a_slide(tmp_path: Path, data: bytes, text: str) -> None:
    assert [part.text for part in parts_of(tmp_path, data)] == [text]


@pytest.mark.parametrize(
    ("data", "slides", "said"),
    [
        (deck(), 2, "has 3 slides; at most 2 are read (DOCUMENTS_MAX_PAGES). Attach a part of it."),
        (word("<w:p/>"), 9, "is a Word document inside, though it is named like a PowerPoint presentation."),
        (
            b"\xd0\xcf\x11\xe0" + bytes(600) + "PowerPoint Document".encode("utf-16-le"),
            9,
            "is a PowerPoint file of before 2007 inside: save it as PPTX.",
        ),
        (by_hand("<p:sp>"), 9, "is damaged or cut short"),
    ],
)
def test_what_is_refused(tmp_path: Path, data: bytes, slides: int, said: str) -> None:
    with pytest.raises(UnreadableFileError) as raised:
        parts_of(tmp_path, data, slides)
    assert str(raised.value).startswith(said)
