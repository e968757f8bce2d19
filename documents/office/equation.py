"""Equations of Office files as a line of text: x^2, (a+b)/2, √(x). Knows their markup only."""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from documents.office.namespace import child

PROPERTIES = "Pr"  # elements with this ending say how something looks


def equation(element: Element) -> str:
    """The text of an equation, or of a part of one."""
    tag = str(element.tag)
    if tag in {"m:t", "w:t"}:
        return element.text or ""
    if tag.endswith(PROPERTIES) or tag in {"w:del", "w:moveFrom"}:
        return ""
    form = FORMS.get(tag, _in_a_row)
    return form(element)


def _in_a_row(element: Element) -> str:
    return "".join(equation(each) for each in element)


def _part(element: Element, name: str) -> str:
    """The text of a part; in parentheses where it is more than a letter, a number or a word."""
    text = _plain(element, name).strip()
    return text if not text or text.replace(".", "").replace(",", "").isalnum() else f"({text})"


def _plain(element: Element, name: str) -> str:
    part = element.find(f"m:{name}")
    return equation(part) if part is not None else ""


def _property(element: Element, name: str, default: str) -> str:
    found = child(element, f"{element.tag}Pr", f"m:{name}")
    return default if found is None else found.get("m:val", "")


def _fraction(element: Element) -> str:
    return f"{_part(element, 'num')}/{_part(element, 'den')}"


def _scripts(element: Element) -> str:
    """A base with what stands below and above it."""
    below, above = _part(element, "sub"), _part(element, "sup")
    return _plain(element, "e") + (f"_{below}" if below else "") + (f"^{above}" if above else "")


def _root(element: Element) -> str:
    degree = _plain(element, "deg").strip()
    return f"√({degree}&{_plain(element, 'e')})" if degree else f"√{_part(element, 'e')}"


def _sum(element: Element) -> str:
    """A sum, an integral and the like."""
    below, above = _part(element, "sub"), _part(element, "sup")
    sign = _property(element, "chr", "∫")
    return f"{sign}{f'_{below}' if below else ''}{f'^{above}' if above else ''} {_plain(element, 'e')}"


def _between(element: Element) -> str:
    """What stands between parentheses or other marks."""
    inside = _property(element, "sepChr", "|").join(equation(each) for each in element.findall("m:e"))
    return _property(element, "begChr", "(") + inside + _property(element, "endChr", ")")


def _matrix(element: Element) -> str:
    rows = [" & ".join(equation(cell) for cell in row.findall("m:e")) for row in element.findall("m:mr")]
    return f"[{'; '.join(rows)}]"


def _lines(element: Element) -> str:
    """Equations below each other."""
    return "; ".join(equation(each) for each in element.findall("m:e"))


def _limit(element: Element) -> str:
    return f"{_plain(element, 'e')}_{_part(element, 'lim')}"


def _applied(element: Element) -> str:
    """A function and what it is applied to."""
    return f"{_plain(element, 'fName')} {_plain(element, 'e')}"


FORMS: dict[str, Callable[[Element], str]] = {
    "m:f": _fraction,
    "m:sSub": _scripts,
    "m:sSup": _scripts,
    "m:sSubSup": _scripts,
    "m:rad": _root,
    "m:nary": _sum,
    "m:d": _between,
    "m:m": _matrix,
    "m:eqArr": _lines,
    "m:limLow": _limit,
    "m:func": _applied,
}
