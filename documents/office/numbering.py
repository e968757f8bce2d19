"""The numbers that Word writes before paragraphs of lists: 3.2, (a), -. Knows lists; nothing of what they say.

1. A paragraph names a list and a level of it, or its style does.
2. The list's level says how it counts and what stands around the numbers: "%1.%2" is this level after the one above.
3. Each paragraph adds one to its level and starts those below anew.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from documents.office.namespace import child

BULLET = "-"
ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
         (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip
LARGEST = 10_000  # of a number that is written out otherwise than in digits
DEPTH = 20  # styles that are based on each other


@dataclass(frozen=True)
class Level:
    """How a level of a list counts: its `format` ("decimal"), the `text` around its numbers, where it starts."""

    format: str = "decimal"
    text: str = ""
    start: int = 1


@dataclass
class Numbering:
    """The lists of a document by their numbers, each with the levels of it, and how far each has counted."""

    lists: dict[str, tuple[str, dict[int, Level]]] = field(default_factory=dict)
    styles: dict[str, tuple[str, int]] = field(default_factory=dict)
    counts: dict[str, dict[int, int]] = field(default_factory=dict)

    def label(self, properties: Element | None) -> str:
        """What stands before a paragraph with these properties; counts it."""
        number, depth = self._list_of(properties)
        if number not in self.lists:
            return ""
        shared, levels = self.lists[number]
        level = levels.get(depth, Level(text=f"%{depth + 1}."))
        counts = self.counts.setdefault(shared, {})
        counts[depth] = counts.get(depth, level.start - 1) + 1
        for below in [each for each in counts if each > depth]:
            del counts[below]
        if level.format == "bullet":
            return BULLET
        return "" if level.format == "none" else _fill(level, levels, counts)

    def _list_of(self, properties: Element | None) -> tuple[str, int]:
        """The number of a paragraph's list and its level; the number is empty where it stands in none."""
        if properties is None:
            return "", 0
        style = properties.find("w:pStyle")
        number, depth = self.styles.get(style.get("w:val", ""), ("", 0)) if style is not None else ("", 0)
        own = properties.find("w:numPr")
        if own is not None:
            number, depth = _value(own, "w:numId", number), int(_value(own, "w:ilvl", str(depth)))
        return number, depth


def _fill(level: Level, levels: dict[int, Level], counts: dict[int, int]) -> str:
    """The level's text with the numbers of the levels that it names."""

    def number(match: re.Match[str]) -> str:
        depth = int(match.group(1)) - 1
        named = levels.get(depth, Level())
        return format_number(counts.get(depth, named.start), named.format)

    return re.sub(r"%([1-9])", number, level.text).strip()


def format_number(number: int, form: str) -> str:
    """A number as a list with this form has it; in digits where nobody else would write it so."""
    if not 0 < number < LARGEST:
        return str(number)
    match form:
        case "lowerLetter" | "upperLetter":
            letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
            return letters.upper() if form == "upperLetter" else letters
        case "lowerRoman" | "upperRoman":
            letters = ""
            for value, letter in ROMAN:
                letters += letter * (number // value)
                number %= value
            return letters.upper() if form == "upperRoman" else letters
        case "decimalZero":
            return f"{number:02}"
    return str(number)


def read_numbering(lists: Element | None, styles: Element | None) -> Numbering:
    """The lists of a document, from the roots of its parts `numbering` and `styles`; None where it has none."""
    if lists is None:
        return Numbering()
    abstract = {each.get("w:abstractNumId", ""): dict(_levels(each)) for each in lists.iter("w:abstractNum")}
    found: dict[str, tuple[str, dict[int, Level]]] = {}
    for each in lists.iter("w:num"):
        shared, number = _value(each, "w:abstractNumId", ""), each.get("w:numId", "")
        changes = {int(change.get("w:ilvl", "0")): change for change in each.findall("w:lvlOverride")}
        levels = dict(abstract.get(shared, {}))
        for depth, change in changes.items():
            levels |= dict(_levels(change))
            start = change.find("w:startOverride")
            if start is not None:
                old = levels.get(depth, Level())
                levels[depth] = Level(old.format, old.text, int(start.get("w:val", "1")))
        if number and number != "0":
            found[number] = (f"{shared}/{number}" if changes else shared, levels)
    return Numbering(found, dict(_style_lists(styles)) if styles is not None else {})


def _levels(element: Element) -> Iterator[tuple[int, Level]]:
    for each in element.findall("w:lvl"):
        form, text = _value(each, "w:numFmt", "decimal"), _value(each, "w:lvlText", "")
        yield int(each.get("w:ilvl", "0")), Level(form, text, int(_value(each, "w:start", "1")))


def _style_lists(styles: Element) -> Iterator[tuple[str, tuple[str, int]]]:
    """The list and level that styles name, themselves or the one that they are based on."""
    by_id = {each.get("w:styleId", ""): each for each in styles.iter("w:style")}
    for name in by_id:
        style, depth = by_id.get(name), 0
        while style is not None and depth < DEPTH:
            own = child(style, "w:pPr", "w:numPr")
            if own is not None and own.find("w:numId") is not None:
                yield name, (_value(own, "w:numId", ""), int(_value(own, "w:ilvl", "0")))
                break
            style, depth = by_id.get(_value(style, "w:basedOn", "")), depth + 1


def _value(element: Element, name: str, default: str) -> str:
    found = element.find(name)
    return default if found is None else found.get("w:val", default)
