"""PDF, page by page, by pypdfium2: text, values of forms, notes. Knows pages and their letters; nothing of pictures.

A hyphen at a line's end stays there, with the line: whether it belongs to the word, only the reader knows. A font that
does not say which letters its signs stand for gives no text, and that is said.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from documents.part import Limits, Part, UnreadableFileError, format_pages

HYPHEN = re.compile("\ufffe(?:\r?\n)?")  # PDFium's sign for one at a line's end, in the place of the line's end
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
PRIVATE = re.compile("[\ue000-\uf8ff]")  # letters of one font alone: the signs of Word's lists, as a rule
SAMPLE = 100  # signs of a page that are asked whether their font knows their letters
UNMAPPED = "\ufffd"
MOSTLY = 0.5  # of a page's signs: of so many without letters, the others tell nothing
WHY = "its font does not say which letters its signs stand for"
UNREADABLE = "[Page {} could not be read: " + WHY + ". Run OCR over the file and attach it again.]"


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The text of each page. Raises UnreadableFileError for too many pages, and where none has letters.

    Raises PdfiumError for damage and passwords.
    """
    import pypdfium2  # type: ignore[import-untyped]

    document = pypdfium2.PdfDocument(path.read_bytes())  # a path would be looked up: /dev/stdin is no name of a file
    count = len(document)
    limits.check_pages(count)
    document.init_forms()
    unread: list[int] = []
    has_words = False
    for number, page in enumerate(document, 1):
        text = _page_text(document, page)
        page.close()
        has_words = has_words or bool(text and text.strip())
        unread += [number] if text is None else []
        text = UNREADABLE.format(number) if text is None else text
        yield Part(text, number, count, f"page {number}", number in unread[-1:])
    if unread and not has_words:
        pages = format_pages(unread)
        raise UnreadableFileError(f"cannot be read ({pages}): {WHY}. Run OCR over it and attach it again.")


def _page_text(document: Any, page: Any) -> str | None:
    """The text of a page and what lies over it; None where its letters are not known."""
    from documents.annotation import read_annotations

    text_page = page.get_textpage()
    text = text_page.get_text_range()
    if CONTROL.search(text) or _has_unmapped(text_page):
        text = _known_letters(text_page)
    text_page.close()
    unknown = text.count(UNMAPPED) + len(PRIVATE.findall(text))
    if unknown > MOSTLY * len("".join(text.split())):
        return None
    text = HYPHEN.sub("-\n", PRIVATE.sub("•", re.sub(f"{UNMAPPED}+", UNMAPPED, text)))
    return "\n\n".join(filter(None, ["\n".join(text.splitlines()), "\n".join(read_annotations(document, page))]))


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
