"""Word documents of 2007 and later: body, notes, comments, headers and footers. Knows their parts; nothing of looks.

Headers stand first and footers last, each text once; notes and comments after the paragraph that they are pinned to.
"""

import posixpath
import re
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from xml.etree.ElementTree import Element

from documents.encoding import decode
from documents.markup import html_text
from documents.office.drawing import drawing_text
from documents.office.numbering import Numbering, read_numbering
from documents.office.package import Package
from documents.office.story import Notes, Story
from documents.part import Limits, Part
from documents.readers.html import declared_encoding

PINNED = {"footnotes": "footnote", "endnotes": "endnote", "comments": "comment"}
USUAL = re.compile(r"(footnotes|endnotes|comments|header|footer|numbering|styles)\d*\.xml")
SEPARATORS = {"separator", "continuationSeparator", "continuationNotice"}


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The whole text. Raises UnreadableFileError."""
    package = Package(path, limits, "w:document")
    parts = _parts(package)
    numbering = read_numbering(_root(package, parts, "numbering"), _root(package, parts, "styles"))
    notes = Notes(dict(_notes(package, parts)))
    body = list(Story(notes, numbering, embedded=dict(_embedded(package))).blocks(package.root))
    blocks = [*_margins(package, parts, "header"), *body, *notes.texts.values(), *_margins(package, parts, "footer")]
    yield Part("\n\n".join(blocks))


def _parts(package: Package) -> dict[str, list[str]]:
    """The names of the parts that belong to the main one, by kind: as it names them, or as they are usually named."""
    found: dict[str, list[str]] = {}
    for each in package.relationships(package.main):
        found.setdefault(each.kind, []).append(each.target)
    folder = posixpath.dirname(package.main).lower()
    for name in package.names:
        match = re.fullmatch(
            r"(footnotes|endnotes|comments|header|footer|numbering|styles)\d*\.xml", name.removeprefix(f"{folder}/")
        )
        if match and match.group(1) not in found:
            found.setdefault(f"{match.group(1)}?", []).append(name)
    return found


def _named(package: Package, parts: dict[str, list[str]], kind: str) -> list[str]:
    return [name for name in parts.get(kind, parts.get(f"{kind}?", [])) if name in package]


def _root(package: Package, parts: dict[str, list[str]], kind: str) -> Element | None:
    return next((package.parse(name) for name in _named(package, parts, kind)), None)


def _embedded(package: Package) -> Iterator[tuple[str, str]]:
    """The texts of diagrams, charts and web pages in the file, by the ids that the main part has for them."""
    for each in package.relationships(package.main):
        if each.kind in {"diagramData", "chart"} and each.target in package:
            yield each.id, drawing_text(package.parse(each.target))
        elif each.kind == "aFChunk" and each.target in package:
            yield each.id, _page_text(each.target, package.read(each.target))


def _page_text(name: str, data: bytes) -> str:
    """The text of a web page, or one of a mail, that a program has put into a Word file instead of its own markup."""
    ending = posixpath.splitext(name)[1].lower()
    if ending in {".mht", ".mhtml", ".eml"}:
        pages = (each for each in message_from_bytes(data).walk() if each.get_content_type() == "text/html")
        page = next(pages, None)
        content = page.get_payload(decode=True) if page is not None else b""
        return (
            html_text(decode(content, page.get_content_charset()))
            if page is not None and isinstance(content, bytes)
            else ""
        )
    if ending in {".html", ".htm", ".xhtml"}:
        return html_text(decode(data, declared_encoding(data)))
    return decode(data) if ending == ".txt" else ""


def _notes(package: Package, parts: dict[str, list[str]]) -> Iterator[tuple[tuple[str, str], str]]:
    """Notes and comments by kind and id; those without an id by their order."""
    for kind, single in PINNED.items():
        root = _root(package, parts, kind)
        for number, element in enumerate(root if root is not None else ()):
            if element.get("w:type") not in SEPARATORS:
                text = "\n".join(Story(numbering=Numbering()).blocks(element))
                author = element.get("w:author", "").strip()
                text = f"[{f'Comment by {author}' if author else 'Comment'}: {text}]" if kind == "comments" else text
                if text.strip():
                    yield (single, element.get("w:id", f"without-{number}")), text


def _margins(package: Package, parts: dict[str, list[str]], kind: str) -> list[str]:
    """The texts of headers or footers, each once; none of those that hold only numbers."""
    stories = (Story().blocks(package.parse(name)) for name in _named(package, parts, kind))
    texts = ("\n".join(blocks) for blocks in stories)
    return list(dict.fromkeys(text for text in texts if any(letter.isalpha() for letter in text)))
