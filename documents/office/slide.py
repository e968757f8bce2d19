"""A slide's words: title first, then shapes, tables, groups, diagrams and charts in order. Knows one slide.

Numbers, dates and footers that stand on every slide are left out.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from documents.office.drawing import drawing_text, paragraphs
from documents.office.namespace import child
from documents.office.package import Package

EVERYWHERE = {"sldNum", "dt", "ftr", "hdr"}  # placeholders that say the same on each slide, or its number
TITLES = {"title", "ctrTitle"}
CELLS = " | "


def slide_text(package: Package, part: str) -> str:
    """The text of a slide, and below it what its speaker has noted."""
    targets = {each.id: each.target for each in package.relationships(part)}
    shapes = list(_shapes(package.parse(part), {"p:sp", "p:graphicFrame"}))
    ordered = sorted(shapes, key=lambda shape: _placeholder(shape) not in TITLES)
    texts = [_shape_text(package, shape, targets) for shape in ordered]
    notes = [
        each.target for each in package.relationships(part) if each.kind == "notesSlide" and each.target in package
    ]
    texts += [f"Notes: {text}" for each in notes if (text := _notes_text(package.parse(each)))]
    return "\n\n".join(filter(None, texts))


def _notes_text(root: Element) -> str:
    """What is written under the picture of a slide."""
    bodies = (shape for shape in _shapes(root, {"p:sp"}) if _placeholder(shape) == "body")
    return "\n\n".join(filter(None, map(paragraphs, bodies)))


def _shapes(element: Element, wanted: set[str]) -> Iterator[Element]:
    """The shapes below an element, those of groups too; of alternatives the first that has some."""
    for each in element:
        if each.tag in wanted:
            yield each
        elif each.tag == "mc:AlternateContent":
            yield from next(filter(None, (list(_shapes(choice, wanted)) for choice in each)), [])
        else:
            yield from _shapes(each, wanted)


def _placeholder(shape: Element) -> str:
    """What a shape is placed as: "title", "body"; empty where it is nothing of that kind."""
    found = child(shape, "p:nvSpPr", "p:nvPr", "p:ph")
    return found.get("type", "") if found is not None else ""


def _shape_text(package: Package, shape: Element, targets: dict[str, str]) -> str:
    if _placeholder(shape) in EVERYWHERE:
        return ""
    if shape.tag == "p:sp":
        return paragraphs(shape)
    return "\n".join(filter(None, _frame_lines(package, shape, targets)))


def _frame_lines(package: Package, frame: Element, targets: dict[str, str]) -> Iterator[str]:
    """The lines of a table, a diagram or a chart."""
    for table in frame.iter("a:tbl"):
        yield from map(_row, table.findall("a:tr"))
    for drawing in (*frame.iter("dgm:relIds"), *frame.iter("c:chart")):
        part = targets.get(drawing.get("r:dm", drawing.get("r:id", "")), "")
        if part in package:
            yield drawing_text(package.parse(part))


def _row(row: Element) -> str:
    cells = [each for each in row.findall("a:tc") if each.get("hMerge", "0") not in {"1", "true"}]
    texts = [" ".join(paragraphs(each).split()) for each in cells]
    return CELLS.join(texts) if any(texts) else ""
