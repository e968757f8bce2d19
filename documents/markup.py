"""The text of HTML as people read it: lines where a browser breaks them, words whole. Knows elements; fetches nothing.

Inline elements cut no word; a table's row is a line, its cells parted by bars; list items have their mark. What is not
shown is not read: scripts, styles, templates, comments, hidden elements.
"""

import re
from collections.abc import Iterator
from html import escape
from typing import Any

LINES = frozenset(
    (
        *("address", "article", "aside", "body", "caption", "center", "dd", "desc", "details", "dialog", "dir", "div"),
        *("dt", "fieldset", "figcaption", "footer", "form", "frameset", "header", "hgroup", "html", "legend", "li"),
        *("main", "menu", "nav", "option", "optgroup", "search", "section", "summary", "svg", "tbody", "text", "tfoot"),
        *("thead", "title", "tr"),
    )
)
PARAGRAPHS = frozenset(
    ("p", "blockquote", "dl", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "table", "ul")
)
VERBATIM = frozenset(("pre", "listing", "xmp", "plaintext", "textarea"))
UNREAD = frozenset(
    (
        *("script", "style", "template", "noscript", "iframe", "noframes", "noembed", "audio", "video", "canvas"),
        *("datalist", "rp", "rt", "annotation", "annotation-xml", "head", "-comment", "!doctype"),
    )
)
LISTS = frozenset(("ul", "ol", "menu", "dir"))
CELLS = frozenset(("td", "th"))
UNSEEN_VALUES = frozenset(("hidden", "password", "checkbox", "radio", "file", "color", "range", "image"))
NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
SPACES = re.compile("[ \t\n\f\r]+")
BETWEEN_CELLS = " | "
LAYOUT = 1000  # characters of a cell that holds a part of the page, not a value
XHTML = re.compile(r"\s*<\?xml|[^>]{0,200}<html[^>]*xmlns\s*=|\s*<!DOCTYPE[^>]*XHTML", re.IGNORECASE)
CLOSED = re.compile(  # elements that end where they begin, which HTML does not know
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)([a-z][a-z0-9]*)((?:\s[^<>]*)?)/>",
    re.IGNORECASE,
)
CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)


class Writer:
    """Text that grows: white space becomes one space, breaks are written when something follows them."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._breaks, self._space = 0, False
        self.mark = ""  # of a list's item, before its first word
        self.has_table = False

    def text(self) -> str:
        """What was written."""
        return "".join(self._pieces).strip("\n").rstrip()

    def add(self, text: str) -> None:
        """Write words of a line."""
        line = SPACES.sub(" ", text)
        words = line.strip(" ")
        if words:
            self._begin(line.startswith(" "))
            self._pieces.append(words)
        self._space = line.endswith(" ") or (not words and self._space)

    def add_verbatim(self, text: str) -> None:
        """Write lines as they are."""
        if text:
            self._begin(False)
            self._pieces.append(text)

    def part(self) -> None:
        """What follows is another word."""
        self._space = True

    def break_lines(self, count: int) -> None:
        """Begin a new line, after an empty one where `count` is 2."""
        self._breaks, self._space = max(self._breaks, count), self._space and not count

    def break_line(self) -> None:
        """One more line break, after those that are there."""
        self._breaks, self._space = self._breaks + 1, False

    def _begin(self, spaced: bool) -> None:
        if self._pieces and self._breaks:
            self._pieces.append("\n" * min(self._breaks, 2))
        elif self._pieces and (spaced or self._space):
            self._pieces.append(" ")
        self._breaks, self._space = 0, False
        if self.mark:
            self._pieces.append(self.mark)
            self.mark = ""


class Reading:
    """One reading of a document: where it is in lists, rows and verbatim text."""

    def __init__(self) -> None:
        self.writers = [Writer()]
        self._rows: list[list[Writer]] = []
        self._numbers: list[int | None] = []  # of each list that is open the next item's, None without numbers
        self._verbatim = 0

    def enter(self, node: Any, tag: str) -> None:
        """Write what an element begins with."""
        writer = self.writers[-1]
        writer.break_lines(self._breaks(tag))
        if tag in CELLS and self._rows:
            self.writers.append(Writer())
        elif tag == "tr":
            self._rows.append([])
        elif tag in VERBATIM:
            self._verbatim += 1
        elif tag in LISTS or tag == "li":
            self._enter_list(node, tag)
        else:
            _enter_inline(writer, node, tag)

    def leave(self, node: Any, tag: str) -> None:
        """Write what an element ends with."""
        if tag in CELLS and self._rows and len(self.writers) > 1:
            self._rows[-1].append(self.writers.pop())
        elif tag == "tr" and self._rows:
            self._write_row(self._rows.pop())
        elif tag in VERBATIM:
            self._verbatim -= 1
        elif tag in LISTS and self._numbers:
            self._numbers.pop()
        writer = self.writers[-1]
        if tag == "li":
            writer.mark = ""
        if tag == "table":
            writer.has_table = True
        writer.break_lines(self._breaks(tag))
        if _is_note(node, tag):
            writer.part()

    def _breaks(self, tag: str) -> int:
        """Line breaks before an element, and after it."""
        if tag in PARAGRAPHS or tag in VERBATIM:
            return 1 if tag == "textarea" or (tag in LISTS and self._numbers) else 2
        return 1 if tag in LINES else 0

    def add(self, text: str) -> None:
        """Write a text between two tags."""
        text = text.replace("\u00ad", "")
        if self._verbatim:
            self.writers[-1].add_verbatim(text)
        else:
            self.writers[-1].add(text)

    def _enter_list(self, node: Any, tag: str) -> None:
        if tag != "li":
            first = (node.attributes.get("start") or "1") if tag == "ol" else ""
            self._numbers.append(int(first) if first.isdecimal() else (1 if tag == "ol" else None))
            return
        number = self._numbers[-1] if self._numbers else None
        self.writers[-1].mark = "- " if number is None else f"{number}. "
        if number is not None:
            self._numbers[-1] = number + 1

    def _write_row(self, cells: list[Writer]) -> None:
        """A row is a line, unless its cells hold parts of the page."""
        texts = [text for cell in cells if (text := cell.text().strip())]
        writer = self.writers[-1]
        if len(texts) == 1 or any(cell.has_table for cell in cells) or any(len(text) > LAYOUT for text in texts):
            writer.add_verbatim("\n".join(texts))
        elif texts:
            writer.add_verbatim(BETWEEN_CELLS.join(" ".join(cell.text().split()) for cell in cells))


def html_text(markup: str) -> str:
    """The text of a document: its title, then its body."""
    from selectolax.lexbor import LexborHTMLParser

    if XHTML.match(markup):
        markup = CLOSED.sub(r"<\1\2></\1>", CDATA.sub(lambda match: escape(match.group(1)), markup))
    parser = LexborHTMLParser(markup)
    reading = Reading()
    for title in parser.css("head > title")[:1]:
        reading.add(title.text())
        reading.writers[0].break_lines(2)
    if parser.root is not None:
        _read(parser.root, reading)
    return reading.writers[0].text().replace("\xa0", " ")


def _read(root: Any, reading: Reading) -> None:
    """Go through the tree, as deep as it is: no call for each level."""
    node, is_down, end = root, True, root.mem_id  # == would compare all the markup below two nodes
    while True:
        tag = node.tag
        if is_down and tag == "-text":
            reading.add(node.text_content or "")
        elif is_down and (tag in UNREAD or _is_hidden(node)):
            pass
        elif is_down:
            reading.enter(node, tag)
            if (child := node.child) is not None:
                node = child
                continue
            reading.leave(node, tag)
        else:
            reading.leave(node, tag)
        if node.mem_id == end:
            return
        sibling = node.next
        node, is_down = (node.parent, False) if sibling is None else (sibling, True)


def _is_hidden(node: Any) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    hidden = "hidden" in attributes and attributes["hidden"] != "until-found"
    return hidden or NOT_SHOWN.search(attributes.get("style") or "") is not None


def _is_note(node: Any, tag: str) -> bool:
    """Whether it is the mark of a footnote, which belongs to no word."""
    if tag != "sup" or (first := node.child) is None:
        return False
    return first.tag == "a" or (first.next is not None and first.next.tag == "a")


def _enter_inline(writer: Writer, node: Any, tag: str) -> None:
    """What an element shows that has no text in it, and what stands apart from the word before it."""
    if tag == "br":
        writer.break_line()
    elif _is_note(node, tag):
        writer.part()
    else:
        for shown in _shown(node, tag):
            writer.add(f" {shown} ")


def _shown(node: Any, tag: str) -> Iterator[str]:
    attributes = node.attributes if tag in {"img", "area", "input"} else {}
    if tag in {"img", "area"} or attributes.get("type") == "image":
        yield attributes.get("alt") or ""
    elif tag == "input" and (attributes.get("type") or "text").lower() not in UNSEEN_VALUES:
        yield attributes.get("value") or ""
