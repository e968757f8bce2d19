"""A story of a Word document (its body, a note, a header) as paragraphs of text. Knows its markup; no file, no style.

What is deleted, hidden, moved away or only an instruction is not read. A table's row is a line, its cells parted by
bars. What floats beside a paragraph, or is pinned to it, follows it: text boxes, diagrams, charts, notes,
comments.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from documents.office.equation import equation
from documents.office.namespace import child as inside
from documents.office.numbering import Numbering
from documents.office.symbol import decode_symbols, symbol

PROPERTIES = {
    "w:pPr",
    "w:rPr",
    "w:sdtPr",
    "w:sdtEndPr",
    "w:tblPr",
    "w:trPr",
    "w:tcPr",
    "w:sectPr",
    "w:rubyPr",
    "w:ffData",
}
GONE = {"w:del", "w:moveFrom", "w:delText", "w:instrText", "w:delInstrText", "w:fldData", "w:rt"}
SKIPPED = frozenset(PROPERTIES | GONE)
LETTERS = {"w:tab": "\t", "w:ptab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-"}
OFF = {"0", "false", "off", "none"}
REPEATED = 100  # characters of a cell that stands beside several rows: so short a one is read with each of them
CELLS, ROWS = " | ", "; "  # between cells of a row; between rows of a table in a cell


@dataclass
class Notes:
    """Texts that are pinned to a place, by kind and id; those that a story has named are taken out."""

    texts: dict[tuple[str, str], str]
    count: int = 0

    def take(self, kind: str, number: str) -> tuple[str, str]:
        """The mark that stands in the text, and the note; both empty where there is none."""
        text = self.texts.pop((kind, number), "")
        if not text:
            return "", ""
        if kind == "comment":
            return "", text
        self.count += 1
        return f"[{self.count}]", f"[{self.count}] {text}"


@dataclass
class Story:
    """What is known while a story is read: open fields, what is to follow the paragraph, and numbers of lists."""

    notes: Notes = field(default_factory=lambda: Notes({}))
    numbering: Numbering = field(default_factory=Numbering)
    asides: list[str] = field(default_factory=list)
    fields: list[bool] = field(default_factory=list)  # of each open field: whether its instruction is still being read
    embedded: Mapping[str, str] = field(default_factory=dict)  # texts of diagrams, charts and other files by their ids
    tables: int = 0  # how many tables what is read stands in

    def blocks(self, element: Element) -> Iterator[str]:
        """The paragraphs and tables below an element, none of them empty."""
        before = ""
        for child in _contents(element):
            if child.tag == "w:altChunk":
                text, joined = self.embedded.get(child.get("r:id", ""), ""), False
            elif child.tag == "w:tbl":
                text, joined = self._table(child), False
            else:
                text, joined = self._paragraph(child), _is_joined(child)
            if joined:  # the end of this paragraph is deleted: the next one belongs to it
                before += text
                continue
            yield from filter(None, [(before + text).strip()])
            before = ""
            if not self.tables:
                yield from self._take_asides()
        yield from filter(None, [before.strip()])

    def _take_asides(self) -> Iterator[str]:
        asides, self.asides = self.asides, []
        yield from filter(None, asides)

    def _paragraph(self, element: Element) -> str:
        text = self._inline(element)
        self.fields = [False] * len(self.fields)  # an instruction ends with its paragraph, at the latest
        if _is_joined(element) and not text.strip():  # nothing of it is left, and it counts in no list
            return text
        label = self.numbering.label(element.find("w:pPr"))
        return f"{label} {text}" if label and text.strip() else text

    def _inline(self, element: Element) -> str:
        return "".join(self._piece(child) for child in element)

    def _piece(self, element: Element) -> str:
        """The text of an element inside a paragraph."""
        tag = str(element.tag)
        if tag in SKIPPED:
            return ""
        if tag in LETTERS:
            return "" if any(self.fields) else LETTERS[tag]
        reader = PIECES.get(tag)
        return reader(self, element) if reader is not None else self._inline(element)

    def _run(self, element: Element) -> str:
        """The text of a run of letters that look alike; nothing where they are hidden."""
        properties = element.find("w:rPr")
        text = self._inline(element)
        if properties is None:
            return text
        fonts = properties.find("w:rFonts")
        font = fonts.get("w:ascii", "") if fonts is not None else ""
        return "" if _is_on(properties, "w:vanish") else decode_symbols(font, text)

    def _text(self, element: Element) -> str:
        return "" if any(self.fields) else (element.text or "").replace("\n", " ")

    def _symbol(self, element: Element) -> str:
        try:
            return symbol(element.get("w:font", ""), int(element.get("w:char", ""), 16))
        except ValueError:
            return ""

    def _field(self, element: Element) -> str:
        match element.get("w:fldCharType"):
            case "begin":
                self.fields.append(True)
            case "separate" if self.fields:
                self.fields[-1] = False
            case "end" if self.fields:
                self.fields.pop()
        return ""

    def _alternatives(self, element: Element) -> str:
        """The first alternative with something to read: the others say the same for older programs."""
        for child in element:
            count = len(self.asides)
            text = self._inline(child)
            if text.strip() or len(self.asides) > count:
                return text
        return ""

    def _text_box(self, element: Element) -> str:
        inner = Story(self.notes, self.numbering, embedded=self.embedded)
        self.asides.extend(inner.blocks(element))
        return ""

    def _drawing(self, element: Element) -> str:
        self.asides.append(self.embedded.get(element.get("r:dm", element.get("r:id", "")), ""))
        return ""

    def _content(self, element: Element) -> str:
        """A content control's; what stands in one that nobody has filled is no text of the document."""
        content = element.find("w:sdtContent")
        return "" if content is None or _is_on(element.find("w:sdtPr"), "w:showingPlcHdr") else self._inline(content)

    def _note(self, element: Element) -> str:
        kind = str(element.tag).removeprefix("w:").removesuffix("Reference")
        mark, text = self.notes.take(kind, element.get("w:id", ""))
        self.asides.append(text)
        return mark

    def _drop_down(self, element: Element) -> str:
        """What is chosen in a list of an old form: no run of letters says it."""
        self._field(element)
        form = inside(element, "w:ffData", "w:ddList")
        choices = [each.get("w:val", "") for each in form.findall("w:listEntry")] if form is not None else []
        number = _number(form, "w:result", 0)
        return choices[number] if number < len(choices) else ""

    def _table(self, element: Element) -> str:
        """A line for each row; a row of one cell as it is."""
        self.tables += 1
        above: dict[int, str] = {}
        rows = [self._row(row, above) for row in _contents(element, "w:tr")]
        self.tables -= 1
        return (ROWS if self.tables else "\n").join(row for row in rows if row.strip(f" {CELLS}"))

    def _row(self, element: Element, above: dict[int, str]) -> str:
        """`above` has the texts of cells that go on below, by the columns in which they begin."""
        properties = element.find("w:trPr")
        if _is_on(properties, "w:del"):
            return ""
        cells, column = [], _number(properties, "w:gridBefore", 0)
        elements = list(_contents(element, "w:tc"))
        for cell in elements:
            properties = cell.find("w:tcPr")
            blocks = list(self.blocks(cell))
            merge = properties.find("w:vMerge") if properties is not None else None
            text = (
                "\n\n".join(blocks) if len(elements) == 1 and self.tables == 1 else " ".join(" ".join(blocks).split())
            )
            if merge is None:
                above.pop(column, None)
            elif merge.get("w:val") == "restart":
                above[column] = text
            else:
                text = text or (above.get(column, "") if len(above.get(column, "")) <= REPEATED else "")
            if not _continues_left(properties):
                cells.append(text)
            column += _number(properties, "w:gridSpan", 1)
        return CELLS.join(cells)


def _contents(element: Element, *wanted: str) -> Iterator[Element]:
    """The elements of these kinds (paragraphs, tables, other files) below one, through all that only wraps them."""
    kinds = wanted or ("w:p", "w:tbl", "w:altChunk")
    for child in element:
        if child.tag in kinds:
            yield child
        elif child.tag == "w:sdt":
            content = child.find("w:sdtContent")
            if content is not None and not _is_on(child.find("w:sdtPr"), "w:showingPlcHdr"):
                yield from _contents(content, *wanted)
        elif child.tag == "mc:AlternateContent":
            choices = (list(_contents(each, *wanted)) for each in child)
            yield from next(filter(None, choices), [])
        elif child.tag not in SKIPPED:
            yield from _contents(child, *wanted)


def _is_joined(paragraph: Element) -> bool:
    """Whether a paragraph's end is deleted or moved away: the next one goes on in it."""
    marks = inside(paragraph, "w:pPr", "w:rPr")
    return _is_on(marks, "w:del") or _is_on(marks, "w:moveFrom")


def _is_on(properties: Element | None, name: str) -> bool:
    """Whether a property is there and not switched off."""
    found = properties.find(name) if properties is not None else None
    return found is not None and found.get("w:val", "").lower() not in OFF


def _number(properties: Element | None, name: str, default: int) -> int:
    found = properties.find(name) if properties is not None else None
    value = found.get("w:val", "") if found is not None else ""
    return int(value) if value.isdecimal() else default


def _continues_left(properties: Element | None) -> bool:
    """Whether a cell belongs to the one at its left."""
    merge = properties.find("w:hMerge") if properties is not None else None
    return merge is not None and merge.get("w:val") != "restart"


PIECES: Mapping[str, Callable[[Story, Element], str]] = {
    "w:r": Story._run,
    "w:t": Story._text,
    "m:oMath": lambda story, element: "" if any(story.fields) else equation(element),
    "w:sym": Story._symbol,
    "w:fldChar": Story._drop_down,
    "mc:AlternateContent": Story._alternatives,
    "w:txbxContent": Story._text_box,
    "w:sdt": Story._content,
    "dgm:relIds": Story._drawing,
    "c:chart": Story._drawing,
    "w:footnoteReference": Story._note,
    "w:endnoteReference": Story._note,
    "w:commentReference": Story._note,
}
