"""EPUB books, chapter by chapter, in the order of reading. Knows their contents; text is `documents.markup`'s.

1. The package document says which files are read, in which order (the spine).
2. The table of contents (EPUB 3's `nav`, else EPUB 2's NCX) names places in them; a chapter goes on to the next one.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from documents.encoding import decode
from documents.markup import html_text
from documents.office.archive import Archive
from documents.part import BROKEN, Limits, Part, UnreadableFileError
from documents.readers.html import declared_encoding

FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")  # encryption of fonts alone
KEYS = ("META-INF/license.lcpl", "META-INF/rights.xml", "META-INF/sinf.xml")
DRM = "is protected against copying (DRM), and its text cannot be read: attach a copy without that."
NO_BOOK = "is no EPUB book inside, though it is named like one. Save it as EPUB."
ANCHOR, MARKS = re.compile("\ue000([0-9]+)\ue001"), "\ue000\ue001"  # where a chapter begins within a file
TITLE = re.compile(r"<title\b.*?</title\s*>", re.IGNORECASE | re.DOTALL)  # of a file: the book's, or nothing
NAV = re.compile(r"<nav\b([^>]*)>(.*?)</nav\s*>", re.IGNORECASE | re.DOTALL)
LINK = re.compile(r"""<a\b[^>]*?\bhref\s*=\s*["']([^"']*)["'][^>]*>(.*?)</a\s*>""", re.IGNORECASE | re.DOTALL)
TAG = re.compile("<[a-z][^<>]*", re.IGNORECASE)
NAMED = re.compile(r"""\s(?:id|name)\s*=\s*["']([^"']*)""", re.IGNORECASE)
MAX_LABEL = 200  # characters of a chapter's name


@dataclass(frozen=True)
class Entry:
    """A line of the table of contents: where it leads, and its words."""

    file: str
    fragment: str
    label: str


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The text of each chapter. Raises UnreadableFileError."""
    archive = Archive(path, limits)
    package_name = _find_package(archive)
    package = archive.parse(package_name)
    manifest = _manifest(package, posixpath.dirname(package_name))
    spine = [manifest.get(each.get("idref", ""), "") for each in package.iter("itemref")]
    files = [name for name in dict.fromkeys(spine) if name in archive]
    _check_readable(archive, files)
    yield from _name_places(_chapters(archive, files, list(_contents(archive, package, manifest))))


def _find_package(archive: Archive) -> str:
    """The name of the package document. Raises UnreadableFileError where there is none."""
    if "META-INF/container.xml" in archive:
        roots = [each.get("full-path", "") for each in archive.parse("META-INF/container.xml").iter("rootfile")]
    else:
        roots = [name for name in archive.names if name.endswith(".opf")]
    found = next((name for name in roots if name in archive), None)
    if found is None:
        raise UnreadableFileError(NO_BOOK)
    return found


def _manifest(package: Element, folder: str) -> dict[str, str]:
    """The names of the book's files by their ids."""
    return {each.get("id", ""): _resolve(folder, each.get("href", ""))[0] for each in package.iter("item")}


def _resolve(folder: str, href: str) -> tuple[str, str]:
    """The file that a link leads to, and the place in it."""
    name, _, fragment = unescape(href).partition("#")
    return posixpath.normpath(posixpath.join("/", folder, unquote(name))).lstrip("/"), unquote(fragment)


def _check_readable(archive: Archive, files: list[str]) -> None:
    """Check that no file of the text is encrypted. Raises UnreadableFileError, also where there are no files."""
    if "META-INF/encryption.xml" in archive:
        for each in archive.parse("META-INF/encryption.xml").iter("EncryptedData"):
            method = next(each.iter("EncryptionMethod"), None)
            if (method.get("Algorithm", "") if method is not None else "") not in FONTS:
                raise UnreadableFileError(DRM)
    if not files:
        raise UnreadableFileError(DRM if any(name in archive for name in KEYS) else BROKEN)


def _contents(archive: Archive, package: Element, manifest: dict[str, str]) -> Iterator[Entry]:
    """The lines of the table of contents, in order."""
    navs = [each.get("id", "") for each in package.iter("item") if "nav" in each.get("properties", "").split()]
    for name in (manifest[each] for each in navs if manifest[each] in archive):
        navigation = decode(archive.read(name))
        tables = [
            inside for attributes, inside in NAV.findall(navigation) if re.search(r"type\s*=\s*[\"']toc", attributes)
        ]
        for href, label in LINK.findall(tables[0] if tables else ""):
            yield Entry(*_resolve(posixpath.dirname(name), href), " ".join(html_text(label).split()))
        if tables:
            return
    tables_of_old = [each.get("id", "") for each in package.iter("item") if "ncx" in each.get("media-type", "")]
    for name in (manifest[each] for each in tables_of_old if manifest[each] in archive):
        for point in archive.parse(name).iter("navPoint"):
            content, text = point.find("content"), next(point.iter("text"), None)
            if content is not None and text is not None:
                place = _resolve(posixpath.dirname(name), content.get("src", ""))
                yield Entry(*place, " ".join((text.text or "").split()))


def _chapters(archive: Archive, files: list[str], contents: list[Entry]) -> Iterator[tuple[str, str]]:
    """Names and texts, as far as a file goes; without a name before the first place that has one."""
    label = ""
    for name in files:
        data = archive.read(name)
        markup = decode(data, declared_encoding(data)).translate(dict.fromkeys(map(ord, MARKS)))
        markup = TITLE.sub("", markup, count=1) if "</title" in markup.lower() else markup
        entries = [each for each in contents if each.file.lower() == name.lower()]
        label = next((each.label for each in entries if not each.fragment), label)
        pieces = ANCHOR.split(html_text(_mark(markup, entries)))
        yield label, pieces[0].strip()
        for number, text in zip(pieces[1::2], pieces[2::2], strict=True):
            label = entries[int(number)].label
            yield label, text.strip()


def _mark(markup: str, entries: list[Entry]) -> str:
    """The markup with a mark before each element that an entry leads to."""
    numbers = {entry.fragment: number for number, entry in reversed(list(enumerate(entries))) if entry.fragment}
    places: dict[int, int] = {}
    for tag in TAG.finditer(markup) if numbers else ():
        for name in filter(numbers.__contains__, map(unescape, NAMED.findall(tag.group()))):
            places.setdefault(tag.start(), numbers.pop(name))
    for at in sorted(places, reverse=True):
        markup = f"{markup[:at]}\ue000{places[at]}\ue001{markup[at:]}"
    return markup


def _name_places(chapters: Iterator[tuple[str, str]]) -> Iterator[Part]:
    """A part for each chapter, named as the contents have it; what follows under the same name belongs to it."""
    gathered: list[tuple[str, list[str]]] = []
    for label, text in chapters:
        if text and gathered and gathered[-1][0] == label:
            gathered[-1][1].append(text)
        elif text:
            gathered.append((label, [text]))
    counts: dict[str, int] = {}
    for number, (label, texts) in enumerate(gathered, 1):
        name = label[:MAX_LABEL] or f"section {number}"
        counts[name] = counts.get(name, 0) + 1
        place = name if counts[name] == 1 else f"{name} ({counts[name]})"
        yield Part("\n\n".join(texts), place=place)
