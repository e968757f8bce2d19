"""PDF, page by page, by pypdfium2: text, values of forms, notes. Knows pages and their letters; pictures are OCR's.

A hyphen at a line's end stays there, with the line: whether it belongs to the word, only the reader knows. A font that
does not say which letters its signs stand for gives no text. Pages with such a font, without text or with pictures are
read as pictures where what does that is installed; without it the first two are said.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from documents.part import Box, Limits, Part, Unread, UnreadableFileError, format_pages
from documents.scan.pages import Page, read_pages
from documents.scan.raster import (
    Place,
    check_pictures,
    is_blank,
    pictures_of,
    render,
    shows_its_letters,
    unread_places,
    without_decoration,
    words_of,
)
from documents.scan.recognizer import missing_packages

HYPHEN = re.compile("\ufffe(?:\r?\n)?")  # PDFium's sign for one at a line's end, in the place of the line's end
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
PRIVATE = re.compile("[\ue000-\uf8ff]")  # letters of one font alone: the signs of Word's lists, as a rule
SAMPLE = 100  # signs of a page that are asked whether their font knows their letters
UNMAPPED = "\ufffd"
OPEN_FOR = 8  # pages with pictures: PDFium keeps each that it has read until the document is closed
MOSTLY = 0.5  # of a page's signs: of so many without letters, the others tell nothing
WHY = "its font does not say which letters its signs stand for"
UNREADABLE = "[Page {} could not be read: " + WHY + ". Run OCR over the file and attach it again.]"


@dataclass(frozen=True)
class Seen:
    """What a page has: its `text`, None where its letters are not known; `notes` over it; pictures not read before."""

    number: int
    of: int
    text: str | None
    notes: str
    places: list[Place]
    is_blank: bool
    is_drawn_right: bool = True  # of unknown letters: whether the page shows what they are

    @property
    def is_picture(self) -> bool:
        """Whether there is something on it, and no letter that is known, and it can be read from the page."""
        return self.is_drawn_right if self.text is None else not (self.text.strip() or self.is_blank)

    @property
    def words(self) -> str:
        """Its text and its notes."""
        return "\n\n".join(filter(None, [self.text, self.notes]))


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The text of each page. Raises UnreadableFileError for too many pages, and where no font has letters.

    Raises PdfiumError for damage and passwords.
    """
    unread, has_words = list[int](), bool(limits.done)
    with path.open("rb") as opened:
        file = opened if opened.seekable() else BytesIO(opened.read())
        for part in _read_letters(file, limits) if missing_packages() else _read_all(file, limits):
            if part.unread is Unread.FONT:
                unread.append(part.page or 1)
            has_words = has_words or bool(part.unread is None and part.text.strip())
            yield part
    if unread and not has_words:
        pages = format_pages(sorted(unread))
        raise UnreadableFileError(f"cannot be read ({pages}): {WHY}. Run OCR over it and attach it again.")


def _open(file: IO[bytes]) -> Any:
    """The document: what PDFium wants of it, it reads from the file, which is not held in memory as a whole."""
    import pypdfium2  # type: ignore[import-untyped]

    document = pypdfium2.PdfDocument(file)
    document.init_forms()
    return document


def _read_letters(file: IO[bytes], limits: Limits) -> Iterator[Part]:
    """The text of each page, or why it has none."""
    for seen in _look_through(file, limits, with_pictures=False):
        part = _part(seen)
        is_unread = part.unread is None and seen.is_picture and not part.text
        yield replace(part, unread=Unread.PICTURE) if is_unread else part


def _read_all(file: IO[bytes], limits: Limits) -> Iterator[Part]:
    """The text of each page that has nothing else, then of those with pictures, as they are done."""
    others = list[Seen]()
    for seen in _look_through(file, limits):
        if seen.places or seen.is_picture:
            others.append(seen)
        else:
            yield _part(seen)
    scans, count = list[Seen](), others[0].of if others else 0
    for seen, places in zip(others, without_decoration([each.places for each in others], count), strict=True):
        if not (places or seen.is_picture):
            yield _part(seen)
        elif seen.number not in limits.done:
            scans.append(replace(seen, places=places))
    if scans:
        yield from read_pages(_pages(file, scans, limits), limits)


def _part(seen: Seen) -> Part:
    """The words of a page; of one whose letters are not known, why there are none."""
    part = Part(seen.words, seen.number, seen.of, f"page {seen.number}")
    return part if seen.text is not None else replace(part, text=UNREADABLE.format(seen.number), unread=Unread.FONT)


def _pages(file: IO[bytes], scans: Sequence[Seen], limits: Limits) -> Iterator[Page]:
    """Pages as pictures. Raises UnreadableFileError for one with a picture that is too large."""
    for begin in range(0, len(scans), OPEN_FOR):
        with closing(_open(file)) as document:
            for seen in scans[begin : begin + OPEN_FOR]:
                page = document[seen.number - 1]
                yield _picture(page, seen, limits)
                page.close()


def _picture(page: Any, seen: Seen, limits: Limits) -> Page:
    """A page as a picture; of one with text only the pictures on it are read. Raises UnreadableFileError."""
    check_pictures(page, seen.number, limits)
    picture = render(page, with_notes=seen.text is None or not seen.notes)
    areas: tuple[Box, ...] = ()
    known: tuple[Box, ...] = ()
    if not seen.is_picture:
        areas, known = tuple(box for box, _ in seen.places), words_of(page)
    return Page(_part(seen), picture, areas, known)


def _look_through(file: IO[bytes], limits: Limits, *, with_pictures: bool = True) -> Iterator[Seen]:
    """What each page has. Raises UnreadableFileError for too many pages."""
    with closing(_open(file)) as document:
        limits.check_pages(len(document))
        for number, page in enumerate(document, 1):
            yield _see(document, page, number, with_pictures)
            page.close()


def _see(document: Any, page: Any, number: int, with_pictures: bool) -> Seen:
    from documents.annotation import read_annotations

    notes = "\n".join(read_annotations(document, page))
    with closing(page.get_textpage()) as text_page:
        text = _page_text(text_page)
        places = unread_places(page, text_page, pictures_of(page)) if with_pictures else []
    is_drawn_right = text is not None or shows_its_letters(page)
    return Seen(number, len(document), text, notes, places, is_blank(page), is_drawn_right)


def _page_text(text_page: Any) -> str | None:
    """The text of a page; None where its letters are not known."""
    text = text_page.get_text_range()
    if CONTROL.search(text) or _has_unmapped(text_page):
        text = _known_letters(text_page)
    unknown = text.count(UNMAPPED) + len(PRIVATE.findall(text))
    if unknown > MOSTLY * len("".join(text.split())):
        return None
    text = HYPHEN.sub("-\n", PRIVATE.sub("•", re.sub(f"{UNMAPPED}+", UNMAPPED, text)))
    return "\n".join(text.splitlines())


def _has_unmapped(text_page: Any) -> bool:
    """Whether one of a page's signs, here and there, has no letter."""
    from pypdfium2 import raw

    count = text_page.count_chars()
    return any(raw.FPDFText_HasUnicodeMapError(text_page, at) == 1 for at in range(0, count, count // SAMPLE + 1))


def _known_letters(text_page: Any) -> str:
    """The text sign by sign, U+FFFD for each that has no letter."""
    from pypdfium2 import raw

    letters = []
    for at in range(text_page.count_chars()):
        letter = chr(raw.FPDFText_GetUnicode(text_page, at))
        if raw.FPDFText_IsHyphen(text_page, at) == 1:
            letters.append("-\n")
        elif letter in "\r\n\t":
            letters.append(letter)
        else:
            is_unmapped = raw.FPDFText_HasUnicodeMapError(text_page, at) == 1
            is_unmapped = is_unmapped or unicodedata.category(letter) in {"Cc", "Cs", "Cn"}
            letters.append(UNMAPPED if is_unmapped else letter)
    return "".join(letters)
