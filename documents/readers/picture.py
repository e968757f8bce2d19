"""Pictures as files: PNG, JPEG, WebP, HEIC, and TIFF with its pages. Knows how each is unpacked; its words are OCR's.

Only the formats named here are tried, a picture's size is looked at before it is unpacked, and a file that is something
else as well, or moves, is refused. HEIC is read where pi_heif is installed.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from documents.part import BROKEN, Limits, Part, UnreadableFileError
from documents.pictures.form import BESIDE, MOVING, check_alone, is_heic, on_white, with_8_bits
from documents.scan.pages import Page, read_pages
from documents.scan.recognizer import Pixels, missing_packages

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
PAGED = {"TIFF", "HEIF"}  # several pictures in one of these are pages
MAX_SIDE = 4_000  # pixels of the longer side that are read
LEAST_SIDE = 12  # pixels of a picture in which letters can be told apart


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The words in each picture of a file. Raises UnreadableFileError."""
    formats = _formats(path)
    if missing_packages():  # the one who asked says how to install them
        raise UnreadableFileError(f"needs {', '.join(missing_packages())}")
    Image.MAX_IMAGE_PIXELS = None  # ours is asked first, and says more
    try:
        with Image.open(path, formats=formats) as image:
            count = _count(image)
            limits.check_pages(count, "pictures")
            yield from read_pages(_pages(image, count, limits), limits)
    except UnidentifiedImageError as error:
        raise UnreadableFileError(BROKEN) from error


def _formats(path: Path) -> tuple[str, ...]:
    """What may be tried: one that is named by its first bytes. Raises UnreadableFileError for what is two at once."""
    with path.open("rb") as file:
        check_alone(file)
        return ("HEIF",) if is_heic(file) else FORMATS


def _count(image: Image.Image) -> int:
    """How many pages there are. Raises UnreadableFileError for a picture that moves."""
    count = int(getattr(image, "n_frames", 1))
    if count > 1 and image.format not in PAGED | BESIDE:
        raise UnreadableFileError(MOVING.format(count))
    return 1 if image.format in BESIDE else count


def _pages(image: Image.Image, count: int, limits: Limits) -> Iterator[Page]:
    for number in range(1, count + 1):
        if number in limits.done:
            continue
        if count > 1:
            image.seek(number - 1)
        limits.check_pixels(*image.size)
        part = Part("", number, count, f"page {number}")
        yield Page(part, _pixels(image))


def _pixels(image: Image.Image) -> Pixels:
    """The picture as it is shown: turned as its camera says, on white, with 8 bits a colour."""
    image.draft(None, (MAX_SIDE, MAX_SIDE))  # a large JPEG is unpacked at half its size or less
    shown = on_white(ImageOps.exif_transpose(with_8_bits(image)))
    shown.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    if min(shown.size) < LEAST_SIDE:
        shown = ImageOps.expand(shown, LEAST_SIDE, (255, 255, 255))
    return np.ascontiguousarray(np.asarray(shown)[:, :, ::-1])
