"""Word documents, each made of the markup that the format's specification has for it."""

from pathlib import Path

import pytest
from docx import Document

from documents.part import Limits, UnreadableFileError
from documents.readers import docx
from tests.documents.office import STRICT_OFFICE, TYPES, package, relationships, word

LIMITS = Limits(10, 1_000_000)
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
LAMP = "<w:p><w:r><w:t>The lamp of Ardmore is green.</w:t></w:r></w:p>"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def text_of(folder: Path, data: bytes) -> str:
    """What is read of a file with these bytes."""
    path = folder / "a.docx"
    path.write_bytes(data)
    (part,) = docx.read(path, LIMITS)
    return part.text


def run(text: str, properties: str = "") -> str:
    return f'<w:r>{properties and f"<w:rPr>{properties}</w:rPr>"}<w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*pieces: str) -> str:
    return f"<w:p>{''.join(piece if piece.startswith('<') else run(piece) for piece in pieces)}</w:p>"


def cell(*blocks: str, properties: str = "") -> str:
    inside = "".join(block if block.startswith("<") else paragraph(block) for block in blocks)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inside}</w:tc>"


def table(*rows: list[str]) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{_row(row)}</w:tr>' for row in rows)}</w:tbl>"


def _row(cells: list[str]) -> str:
    return "".join(each if each.startswith("<") else cell(each) for each in cells)


def math(inside: str) -> str:
    return paragraph(f"<m:oMath>{inside}</m:oMath>")


def letters(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


def instruction(text: str) -> str:
    return f"<w:r><w:instrText>{text}</w:instrText></w:r>"


BEGIN, SEPARATE, END = (f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end"))
BOX = f"<w:txbxContent>{paragraph('Boxed.')}</w:txbxContent>"
BOTH_BOXES = (
    f'<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:txbx>{BOX}</wps:txbx></w:drawing></mc:Choice>'
    f"<mc:Fallback><w:pict><v:textbox>{BOX}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
)
NESTED = table(["a", "b"], ["c", "d"])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (paragraph("light", "house"), "lighthouse"),
        (paragraph("One.") + paragraph() + paragraph("Two."), "One.\n\nTwo."),
        (paragraph("light", "<w:r><w:noBreakHyphen/></w:r>", "house"), "light-house"),
        (paragraph("light", "<w:r><w:softHyphen/></w:r>", "house"), "lighthouse"),
        (paragraph("a", "<w:r><w:tab/></w:r>", "b", '<w:r><w:br w:type="page"/></w:r>', "c"), "a\tb\nc"),
        (table(["Place", "Colour"], ["Ardmore", "green"]), "Place | Colour\nArdmore | green"),
        (paragraph("x") + table(["a", "b"]) + paragraph("y"), "x\n\na | b\n\ny"),
        (table(["a", cell("one", "two")]), "a | one two"),
        (table(["a", "", "c"]), "a |  | c"),
        (table([cell("One.", "Two.")]), "One.\n\nTwo."),
        (table(["x", cell(NESTED)]), "x | a | b; c | d"),
        (table([cell("wide", properties='<w:gridSpan w:val="2"/>'), "c"]), "wide | c"),
        (
            table(
                [cell("Monday", properties='<w:vMerge w:val="restart"/>'), "nine"],
                [cell("", properties="<w:vMerge/>"), "ten"],
            ),
            "Monday | nine\nMonday | ten",
        ),
        (
            table(["a"])
            .replace("<w:tc>", "<w:sdt><w:sdtContent><w:tc>")
            .replace("</w:tc>", "</w:tc></w:sdtContent></w:sdt>"),
            "a",
        ),
        (
            table(["a", "b"]).replace("<w:tr>", "<w:tr><w:trPr><w:del/></w:trPr>") + LAMP,
            "The lamp of Ardmore is green.",
        ),
        (
            paragraph("a ", f"<w:del>{run('x').replace('w:t', 'w:delText')}</w:del>", f"<w:ins>{run('new')}</w:ins>"),
            "a new",
        ),
        (
            paragraph("a", f"<w:moveFrom>{run(' moved')}</w:moveFrom>", f"<w:moveTo>{run(' moved')}</w:moveTo>"),
            "a moved",
        ),
        ("<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>" + run("light") + "</w:p>" + paragraph("house"), "lighthouse"),
        (paragraph("seen", run("hidden", "<w:vanish/>"), run(" too", '<w:vanish w:val="0"/>')), "seen too"),
        (paragraph("Before.", BOTH_BOXES) + paragraph("After."), "Before.\n\nBoxed.\n\nAfter."),
        (paragraph(f"<w:r><w:pict><v:textbox>{BOX}</v:textbox></w:pict></w:r>"), "Boxed."),
        (paragraph(BEGIN, instruction('HYPERLINK "x"'), SEPARATE, "the lamp", END, "."), "the lamp."),
        (
            paragraph(
                BEGIN, instruction("IF "), BEGIN, instruction("NAME"), SEPARATE, "Tom", END, SEPARATE, "yes", END
            ),
            "yes",
        ),
        (paragraph(BEGIN, instruction("TOC"), SEPARATE, "One") + paragraph("Two", END), "One\n\nTwo"),
        (paragraph(BEGIN, instruction("never ended")) + paragraph("Two"), "Two"),
        (paragraph(f'<w:fldSimple w:instr="PAGE">{run("7")}</w:fldSimple>'), "7"),
        (paragraph(f'<w:hyperlink r:id="rId9">{run("the lamp")}</w:hyperlink>', "."), "the lamp."),
        (paragraph('<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>', " = 2"), "α = 2"),
        (paragraph('<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>', " done"), "✓ done"),
        (paragraph(run("\uf0b3", '<w:rFonts w:ascii="Symbol"/>'), " 3"), "≥ 3"),
        (f"<w:sdt><w:sdtPr/><w:sdtContent>{LAMP}</w:sdtContent></w:sdt>", "The lamp of Ardmore is green."),
        (paragraph(f"<w:sdt><w:sdtPr/><w:sdtContent>{run('Ardmore')}</w:sdtContent></w:sdt>"), "Ardmore"),
        (
            paragraph(
                "a", f"<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{run('Click')}</w:sdtContent></w:sdt>"
            ),
            "a",
        ),
        (paragraph(f"<w:smartTag>{run('Ard')}</w:smartTag>", f"<w:customXml>{run('more')}</w:customXml>"), "Ardmore"),
        (
            paragraph(f"<w:ruby><w:rt>{run('とう')}</w:rt><w:rubyBase>{run('灯')}</w:rubyBase></w:ruby>", "塔"),
            "灯塔",
        ),
        (
            paragraph(
                '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/>'
                '<w:listEntry w:val="red"/><w:listEntry w:val="green"/></w:ddList></w:ffData></w:fldChar></w:r>',
                instruction("FORMDROPDOWN"),
                END,
            ),
            "green",
        ),
        (math(letters("E=m") + f"<m:sSup><m:e>{letters('c')}</m:e><m:sup>{letters('2')}</m:sup></m:sSup>"), "E=mc^2"),
        (math(f"<m:f><m:num>{letters('a+b')}</m:num><m:den>{letters('2')}</m:den></m:f>"), "(a+b)/2"),
        (math(f"<m:rad><m:degHide/><m:deg/><m:e>{letters('x')}</m:e></m:rad>"), "√x"),
        (
            math(
                f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{letters("i=1")}</m:sub><m:sup>{letters("n")}'
                f"</m:sup><m:e>{letters('i')}</m:e></m:nary>"
            ),
            "∑_(i=1)^n i",
        ),
        (math(f"<m:d><m:e>{letters('x')}</m:e></m:d>"), "(x)"),
        (f"<w:p><m:oMathPara>{math(letters('x=1'))[5:-6]}</m:oMathPara></w:p>", "x=1"),
    ],
)
def test_markup_of_a_body(tmp_path: Path, body: str, text: str) -> None:
    assert text_of(tmp_path, word(body)) == text


MAIN = f'<w:document xmlns:w="{STRICT}"><w:body>{LAMP}</w:body></w:document>'


@pytest.mark.parametrize(
    "data",
    [
        word(LAMP, main="word/document2.xml"),
        word(LAMP, main="content/text.xml"),
        word(LAMP, space=STRICT, office=STRICT_OFFICE),
        package({"word/document.xml": MAIN, "[Content_Types].xml": f'<Types xmlns="{TYPES}"/>'}),
        package({"_rels/.rels": relationships({"/word/document.xml": "officeDocument"}), "Word\\Document.xml": MAIN}),
        package(
            {"word/document.xml": '<?xml version="1.0" encoding="UTF-16"?>'.encode("utf-16") + MAIN.encode("utf-16-le")}
        ),
    ],
    ids=["document2", "other folder", "strict", "unnamed", "other letters", "utf-16"],
)
def test_where_the_text_of_a_file_stands(tmp_path: Path, data: bytes) -> None:
    assert text_of(tmp_path, data) == "The lamp of Ardmore is green."


def notes(kind: str, *texts: str) -> str:
    """A root with notes of these texts, from 1, after the separator that each such part begins with."""
    first = f'<w:{kind} w:id="0" w:type="separator">{paragraph("---")}</w:{kind}>'
    rest = "".join(
        f'<w:{kind} w:id="{at}" w:author="Olga">{paragraph(text)}</w:{kind}>' for at, text in enumerate(texts, 1)
    )
    return f"<w:{kind}s>{first}{rest}</w:{kind}s>"


def pin(kind: str, number: int) -> str:
    return f'<w:r><w:{kind}Reference w:id="{number}"/></w:r>'


@pytest.mark.parametrize(
    ("body", "parts", "text"),
    [
        (
            paragraph("The lamp", pin("footnote", 1), " is green.") + paragraph("End."),
            {"footnotes": notes("footnote", "kept by Marta")},
            "The lamp[1] is green.\n\n[1] kept by Marta\n\nEnd.",
        ),
        (
            paragraph("a", pin("footnote", 2), "b", pin("endnote", 1)),
            {"footnotes": notes("footnote", "one", "two"), "endnotes": notes("endnote", "three")},
            "a[1]b[2]\n\n[1] two\n\n[2] three\n\none",
        ),
        (
            paragraph("The lamp is red.", pin("comment", 1)),
            {"comments": notes("comment", "Is it?")},
            "The lamp is red.\n\n[Comment by Olga: Is it?]",
        ),
        (
            table(["a", cell(paragraph("b", pin("footnote", 1)))]),
            {"footnotes": notes("footnote", "of a cell")},
            "a | b[1]\n\n[1] of a cell",
        ),
        (
            LAMP,
            {
                "header1": f"<w:hdr>{paragraph('Harbour office')}</w:hdr>",
                "header2": f"<w:hdr>{paragraph('Harbour office')}</w:hdr>",
                "footer1": f"<w:ftr>{paragraph('12')}</w:ftr>",
                "footer2": f"<w:ftr>{paragraph('Confidential')}</w:ftr>",
            },
            "Harbour office\n\nThe lamp of Ardmore is green.\n\nConfidential",
        ),
    ],
)
def test_what_stands_in_other_parts(tmp_path: Path, body: str, parts: dict[str, str], text: str) -> None:
    assert text_of(tmp_path, word(body, parts)) == text


DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"


def test_diagrams_and_charts_follow_their_paragraph(tmp_path: Path) -> None:
    body = paragraph(
        f'<w:r><w:drawing><dgm:relIds xmlns:dgm="{DIAGRAM}" r:dm="rId1"/></w:drawing></w:r>',
        f'<w:r><w:drawing><c:chart xmlns:c="{CHART}" r:id="rId2"/></w:drawing></w:r>',
        "See below.",
    )
    points = "".join(f"<dgm:pt><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>" for text in "ab")
    series = "<c:tx><c:v>Ships</c:v></c:tx><c:cat><c:v>2025</c:v></c:cat><c:val><c:v>5</c:v></c:val>"
    parts = {
        "diagramData": f'<dgm:dataModel xmlns:dgm="{DIAGRAM}" xmlns:a="{DRAWING}">{points}</dgm:dataModel>',
        "chart": f'<c:chartSpace xmlns:c="{CHART}"><c:ser>{series}</c:ser></c:chartSpace>',
    }
    assert text_of(tmp_path, word(body + LAMP, parts)).split("\n\n")[:3] == ["See below.", "a\nb", "Ships: 2025 5"]


MAIL = (
    'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="b"\n\n--b\n'
    'Content-Type: text/html; charset="utf-8"\n'
    "Content-Transfer-Encoding: quoted-printable\n\n<p>The lamp of Ardmore is gr=C3=BCn.</p>\n--b--\n"
)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("page.html", "<p>The l<i>amp</i> of Ardmore.</p>", "The lamp of Ardmore."),
        ("page.mht", MAIL, "The lamp of Ardmore is grün."),
        ("page.txt", "The lamp.", "The lamp."),
        ("page.rtf", "{\\rtf1}", ""),
    ],
)
def test_a_page_of_the_web_inside(tmp_path: Path, name: str, content: str, text: str) -> None:
    parts = {
        "word/document.xml": MAIN.replace("<w:body>", f'<w:body><w:altChunk xmlns:r="{STRICT_OFFICE}" r:id="rId1"/>'),
        "word/_rels/document.xml.rels": relationships({name: "aFChunk"}),
        f"word/{name}": content,
    }
    assert text_of(tmp_path, package(parts)) == f"{text}\n\nThe lamp of Ardmore is green.".strip()


def test_notes_that_nothing_leads_to_are_read_at_the_end(tmp_path: Path) -> None:
    main = f'<w:document xmlns:w="{STRICT}"><w:body>{LAMP}</w:body></w:document>'
    note = f'<w:footnotes xmlns:w="{STRICT}"><w:footnote>{paragraph("kept by Marta")}</w:footnote></w:footnotes>'
    found = text_of(tmp_path, package({"word/document.xml": main, "word/footnotes.xml": note}))
    assert found == "The lamp of Ardmore is green.\n\nkept by Marta"


def item(text: str, depth: int, number: int = 1) -> str:
    return (
        f'<w:p><w:pPr><w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="{number}"/></w:numPr></w:pPr>{run(text)}</w:p>'
    )


def level(depth: int, form: str, text: str, start: int = 1) -> str:
    inside = f'<w:start w:val="{start}"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/>'
    return f'<w:lvl w:ilvl="{depth}">{inside}</w:lvl>'


GONE_ITEM = (
    item("x", 0)
    .replace("<w:numPr>", "<w:rPr><w:del/></w:rPr><w:numPr>")
    .replace("<w:r><w:t", "<w:del><w:r><w:t")
    .replace("</w:r></w:p>", "</w:r></w:del></w:p>")
)
LISTS = (
    "<w:numbering>"
    f'<w:abstractNum w:abstractNumId="0">{level(0, "decimal", "%1.")}{level(1, "lowerLetter", "(%2)")}'
    f"{level(2, 'decimal', '%1.%2.%3')}</w:abstractNum>"
    f'<w:abstractNum w:abstractNumId="1">{level(0, "bullet", "o")}{level(1, "upperRoman", "%2)", 4)}</w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/>'
    "</w:lvlOverride></w:num></w:numbering>"
)
STYLES = (
    '<w:styles><w:style w:styleId="Clause"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
    '<w:style w:styleId="Own"><w:basedOn w:val="Clause"/></w:style></w:styles>'
)


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (item("a", 0) + item("b", 0), ["1. a", "2. b"]),
        (
            item("a", 0) + item("b", 1) + item("c", 1) + item("d", 0) + item("e", 1),
            ["1. a", "(a) b", "(b) c", "2. d", "(a) e"],
        ),
        (item("a", 0) + item("b", 1) + item("c", 2), ["1. a", "(a) b", "1.a.1 c"]),
        (item("a", 0, 2) + item("b", 1, 2), ["- a", "IV) b"]),
        (item("a", 0, 3) + item("b", 0, 3), ["7. a", "8. b"]),
        (item("a", 0) + GONE_ITEM + item("b", 0), ["1. a", "2. b"]),
        (item("a", 0, 0), ["a"]),
        (item("a", 0, 9), ["a"]),
        ('<w:p><w:pPr><w:pStyle w:val="Own"/></w:pPr>' + run("a") + "</w:p>", ["1. a"]),
    ],
)
def test_numbers_of_lists(tmp_path: Path, body: str, lines: list[str]) -> None:
    assert text_of(tmp_path, word(body, {"numbering": LISTS, "styles": STYLES})).split("\n\n") == lines


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (OLE + "EncryptedPackage".encode("utf-16-le") + bytes(500), "is protected by a password"),
        (
            OLE + "WordDocument".encode("utf-16-le") + bytes(500),
            "is a Word file of before 2007 inside: save it as DOCX",
        ),
        (OLE + "Workbook".encode("utf-16-le") + bytes(500), "is an Excel file of before 2007 inside: save it as XLSX"),
        (OLE, "is damaged or cut short"),
        (package({"letter.txt": "hello"}), "is no Word document inside"),
        (package({"word/document.xml": "<html/>"}), "is no Word document inside"),
        (
            package({"xl/workbook.xml": '<workbook xmlns="http://purl.oclc.org/ooxml/spreadsheetml/main"/>'}),
            "is an Excel workbook inside, though it is named like a Word document. Give it the ending .xlsx.",
        ),
        (word("<w:p>"), "is damaged or cut short"),
        (package({"_rels/.rels": relationships({"word/gone.xml": "officeDocument"})}), "is no Word document inside"),
    ],
)
def test_what_is_no_word_document(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFileError, match="^" + said.replace(".", r"\.")):
        text_of(tmp_path, data)


def test_a_file_that_python_docx_has_written(tmp_path: Path) -> None:
    made = Document()
    made.add_heading("Lights", 1)
    made.add_paragraph("Ardmore", style="List Number")
    made.add_paragraph("Bantry", style="List Number")
    grid = made.add_table(2, 2)
    grid.cell(0, 0).merge(grid.cell(0, 1)).text = "Colours"
    grid.cell(1, 0).text, grid.cell(1, 1).text = "Ardmore", "green"
    made.sections[0].header.paragraphs[0].text = "Harbour office"
    made.save(str(tmp_path / "a.docx"))
    (part,) = docx.read(tmp_path / "a.docx", LIMITS)
    assert part.text.split("\n\n") == [
        "Harbour office",
        "Lights",
        "1. Ardmore",
        "2. Bantry",
        "Colours\nArdmore | green",
    ]
