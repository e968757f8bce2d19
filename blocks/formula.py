"""TeX as MathML, by latex2mathml: only elements that draw formulas come out of it. Knows nothing of Markdown.

What the library makes is read as a tree and written anew, element by element, since its own text escapes nothing.
"""

import re
from functools import cache
from html import escape, unescape
from typing import Any
from xml.etree.ElementTree import Element

MAX_LENGTH = 10_000  # characters of a formula; a longer one stays as it was typed
MAX_DEPTH = 100  # of braces: the library calls itself for each
ELEMENTS = frozenset((
    "math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot", "mstyle", "merror",
    "mpadded", "mphantom", "menclose", "msub", "msup", "msubsup", "munder", "mover", "munderover",
    "mmultiscripts", "mprescripts", "none", "mtable", "mtr", "mtd",
))  # fmt: skip
ATTRIBUTES = frozenset((
    "accent", "accentunder", "columnalign", "columnlines", "columnspacing", "columnspan", "depth", "display",
    "displaystyle", "fence", "form", "height", "largeop", "linethickness", "lspace", "mathsize", "mathvariant",
    "maxsize", "minsize", "movablelimits", "notation", "rowlines", "rowspacing", "rowspan", "rspace",
    "scriptlevel", "separator", "stretchy", "symmetric", "voffset", "width",
))  # fmt: skip
ALIKE = {"aligned": "align*", "alignedat": "align*", "gather": "matrix", "gather*": "matrix", "gathered": "matrix"}
ENVIRONMENT = re.compile(
    r"\\(begin|end)\{(aligned|gather\*?|gathered)\}|\\begin\{alignedat\}\{\d+\}|\\end\{alignedat\}"
)
WRAPPER = re.compile(r"\\(?:begin|end)\{(?:equation|displaymath|math)\*?\}")
SILENT = re.compile(r"\\(?:(?:label|require)\{[^{}]*\}|(?:nonumber|notag)(?![A-Za-z]))")  # they draw nothing
UNKNOWN = re.compile(r"\\[A-Za-z]")  # a command that the library hands on, as if it were a name
SPACED_BREAK = re.compile(r"\\\\\[[^\]\n]{0,20}\]")


def render_formula(tex: str, *, display: bool) -> str:
    """MathML of a formula, on a line of its own where `display`; where TeX does not allow it, or the library knows
    one of its commands not, as it was typed.
    """
    if _is_short(tex):
        try:
            return _write(_convert(_prepare(tex), "block" if display else "inline"))
        except _failures():
            pass
    mark = "$$" if display else "$"
    return f'<code class="formula">{escape(mark + tex + mark)}</code>'


def parse_formula(tex: str) -> dict[str, Any] | None:
    """The tree of MathML of a formula: of each element its `tag`, `text`, `attributes` and `children`; None where
    `render_formula` leaves it as it was typed.
    """
    if not _is_short(tex):
        return None
    try:
        return _to_tree(_convert(_prepare(tex), "block"))
    except _failures():
        return None


def _is_short(tex: str) -> bool:
    return len(tex) <= MAX_LENGTH and tex.count("{") <= MAX_DEPTH and tex.count(r"\left") <= MAX_DEPTH


def _convert(tex: str, display: str) -> Element:
    """The tree of a formula. Raises what `_failures` names."""
    from latex2mathml.converter import convert_to_element  # when the first formula comes

    return convert_to_element(tex, display=display)


@cache
def _failures() -> tuple[type[Exception], ...]:
    """What the library raises where a formula is none."""
    from latex2mathml import exceptions

    own = [each for each in vars(exceptions).values() if isinstance(each, type) and issubclass(each, Exception)]
    return (*own, IndexError, KeyError, RecursionError, StopIteration, ValueError)


def _prepare(tex: str) -> str:
    """The formula with the names that the library knows, and lines outside any environment in one."""
    tex = SILENT.sub("", WRAPPER.sub("", SPACED_BREAK.sub(r"\\\\", tex)))
    tex = ENVIRONMENT.sub(_rename, tex)
    if "\\\\" in tex and "\\begin" not in tex:
        return f"\\begin{{align*}}{tex}\\end{{align*}}"
    return tex


def _rename(match: re.Match[str]) -> str:
    verb = match[1] or ("begin" if match[0].startswith("\\begin") else "end")
    return f"\\{verb}{{{ALIKE[match[2] or 'alignedat']}}}"


def _check_known(element: Element) -> None:
    """Raise ValueError where the library knew a command not."""
    if element.tag != "mtext" and UNKNOWN.match(element.text or ""):
        raise ValueError(f"no formula: {element.text}")


def _to_tree(element: Element) -> dict[str, Any]:
    _check_known(element)
    attributes = {key: value for key, value in element.attrib.items() if key in ATTRIBUTES}
    children = [_to_tree(child) for child in element]
    tag = element.tag if element.tag in ELEMENTS else "mrow"
    return {"tag": tag, "text": unescape(element.text or ""), "attributes": attributes, "children": children}


def _write(element: Element) -> str:
    """The element as text, without what is not on the lists. Raises ValueError where the library knew a command not."""
    _check_known(element)
    inner = escape(unescape(element.text or "")) + "".join(
        _write(child) + escape(unescape(child.tail or "")) for child in element
    )
    name = element.tag if element.tag in ELEMENTS else "mrow"
    given = "".join(f' {key}="{escape(value)}"' for key, value in element.attrib.items() if key in ATTRIBUTES)
    return f"<{name}{given}>{inner}</{name}>"
