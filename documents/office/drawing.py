"""What is drawn in an Office file: texts of shapes, diagrams and charts. Knows their markup only."""

from collections.abc import Iterator
from itertools import zip_longest
from xml.etree.ElementTree import Element

from documents.office.equation import equation


def paragraphs(element: Element) -> str:
    """The paragraphs below an element, a line each."""
    lines = (_inline(paragraph).strip() for paragraph in element.iter("a:p"))
    return "\n".join(filter(None, lines))


def _inline(element: Element) -> str:
    """The text of a paragraph, or of what stands in it."""
    text = ""
    for each in element:
        match each.tag:
            case "a:t":
                text += (each.text or "").replace("\v", "\n")
            case "a:br":
                text += "\n"
            case "m:oMath":
                text += equation(each)
            case "mc:AlternateContent":
                text += next(filter(None, map(_inline, each)), "")
            case _:
                text += _inline(each)
    return text


def drawing_text(root: Element) -> str:
    """The text of a diagram's data, a point a line, or of a chart."""
    lines = map(paragraphs, root.iter("dgm:pt")) if root.tag == "dgm:dataModel" else _chart_lines(root)
    return "\n".join(filter(None, lines))


def _chart_lines(root: Element) -> Iterator[str]:
    """The title of a chart, and a line for each series: its name, and each category with its value."""
    yield from (paragraphs(title) for title in root.iter("c:title"))
    for series in root.iter("c:ser"):
        name = " ".join(_cached(series.find("c:tx")))
        categories, values = _cached(series.find("c:cat")), _cached(series.find("c:val"))
        pairs = zip_longest(categories, values, fillvalue="") if values else []
        yield f"{name}: {'; '.join(' '.join(pair).strip() for pair in pairs)}".strip(": ")


def _cached(element: Element | None) -> list[str]:
    """What a chart remembers of the cells that it was made from."""
    return [each.text or "" for each in element.iter("c:v")] if element is not None else []
