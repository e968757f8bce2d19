"""A page of a PDF as a picture, and where on it pictures and words stand. Knows PDFium's pages; reads no text.

A picture that most pages have, as a letterhead, is no scan. Nor is one that has the letters of a page of words on it:
somebody has read it before.
"""

import ctypes
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium  # type: ignore[import-untyped]
from pypdfium2 import PdfObject

from documents.part import Box, Limits
from documents.scan.recognizer import Pixels

SCALE = 200 / 72  # pixels a point: 200 to the inch
MAX_SIDE = 3_300  # pixels of the longer side: a page of A4 at 280 to the inch
LEAST_SHARE = 0.03  # of a page, that a picture with words in it takes
READ_BEFORE = 100  # letters on a picture whose words the file has
USUAL, FEW = 0.5, 3  # the share of pages, of more than so many, that have the same picture for decoration
GRID = 1_000_000  # steps of a page's side, for PDFium's whole numbers
PICTURED = {pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_FORM}
Place = tuple[Box, bytes]  # of a picture, and a hash of it


def render(page: Any, *, with_notes: bool = True) -> Pixels:
    """The page as it is shown, upright, without the fields of its form."""
    width, height = page.get_size()
    scale = min(SCALE, MAX_SIDE / max(width, height))
    bitmap = page.render(scale=scale, may_draw_forms=False, draw_annots=with_notes, prefer_bgrx=False)
    return np.ascontiguousarray(bitmap.to_numpy())


def is_blank(page: Any) -> bool:
    """Whether nothing stands on a page."""
    return bool(pdfium.FPDFPage_CountObjects(page) < 1)


def shows_its_letters(page: Any) -> bool:
    """Whether the fonts of a page are in the file: a page whose fonts are elsewhere is drawn with others."""
    for item in page.get_objects([pdfium.FPDF_PAGEOBJ_TEXT]):
        font = pdfium.FPDFTextObj_GetFont(item)
        if font and pdfium.FPDFFont_GetIsEmbedded(font) != 1:
            return False
    return True


def pictures_of(page: Any) -> list[Place]:
    """The pictures of a page that are large enough for words; those in a form take the form's place."""
    found = []
    for at in range(pdfium.FPDFPage_CountObjects(page)):
        handle = pdfium.FPDFPage_GetObject(page, at)
        if pdfium.FPDFPageObj_GetType(handle) not in PICTURED:
            continue
        item = PdfObject(handle, page=page, pdf=page.pdf)
        box = _to_box(page, item.get_bounds())
        if (box[2] - box[0]) * (box[3] - box[1]) >= LEAST_SHARE and (images := list(_images(page, item))):
            found.append((box, _hash(images)))
    return found


def check_pictures(page: Any, number: int, limits: Limits) -> None:
    """Check the sizes of a page's pictures before they are unpacked. Raises UnreadableFileError."""
    for image in page.get_objects([pdfium.FPDF_PAGEOBJ_IMAGE]):
        width, height = image.get_px_size()
        limits.check_pixels(width, height, f"has on page {number} a picture of")


def words_of(page: Any) -> tuple[Box, ...]:
    """Where the words of a page stand."""
    text_page = page.get_textpage()
    boxes = tuple(_to_box(page, text_page.get_rect(at)) for at in range(text_page.count_rects()))
    text_page.close()
    return boxes


def unread_places(page: Any, text_page: Any, places: Sequence[Place]) -> list[Place]:
    """The pictures whose words the file does not have."""
    if not places:
        return []
    centres = _letter_centres(page, text_page)
    return [place for place in places if _count_within(centres, place[0]) < READ_BEFORE]


def without_decoration(pages: Sequence[Sequence[Place]], count: int) -> list[list[Place]]:
    """The pictures of each page but those that most of a file's pages have."""
    counts = Counter(name for places in pages for name in {name for _, name in places})
    usual = {name for name, times in counts.items() if times > max(FEW, USUAL * count)}
    return [[place for place in places if place[1] not in usual] for places in pages]


def _images(page: Any, item: Any) -> Iterator[Any]:
    """The picture that an object is, or those in it."""
    if item.type == pdfium.FPDF_PAGEOBJ_IMAGE:
        yield item
    else:
        yield from page.get_objects([pdfium.FPDF_PAGEOBJ_IMAGE], form=item, level=1)


def _hash(images: Iterable[Any]) -> bytes:
    """A name for what pictures show: that of their bytes."""
    digest = hashlib.sha256()
    for each in images:
        digest.update(each.get_data())
    return digest.digest()


def _letter_centres(page: Any, text_page: Any) -> Any:
    """Where each letter stands that is on the page."""
    boxes = [_to_box(page, text_page.get_charbox(at)) for at in range(text_page.count_chars())]
    return np.array([((a + c) / 2, (b + d) / 2) for a, b, c, d in boxes if a < c and b < d]).reshape(-1, 2)


def _count_within(points: Any, box: Box) -> int:
    left, top, right, bottom = box
    return int(((points >= (left, top)) & (points <= (right, bottom))).all(axis=1).sum())


def _to_box(page: Any, bounds: Sequence[float]) -> Box:
    """A place of a PDF (left, bottom, right, top) on the page as it is shown; empty for what is not on it."""
    left, bottom, right, top = bounds
    (x0, y0), (x1, y1) = _to_shown(page, left, top), _to_shown(page, right, bottom)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _to_shown(page: Any, x: float, y: float) -> tuple[float, float]:
    """A point, or the nearest one that is on the page."""
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, GRID, GRID, 0, x, y, across, down)
    return min(max(across.value / GRID, 0.0), 1.0), min(max(down.value / GRID, 0.0), 1.0)
