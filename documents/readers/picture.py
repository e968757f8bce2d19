"""Pictures as files: PNG, JPEG, WebP, HEIC, and TIFF with its pages. Knows how each is unpacked; its words are OCR's.

Only the formats named here are tried, a picture's size is looked at before it is unpacked, and a file that is something
else as well, or moves, is refused. HEIC is read where pi_heif is installed.
"""

import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from documents.kind import PDF, PDF_BEFORE
from documents.part import BROKEN, Limits, Part, UnreadableFileError
from documents.scan.pages import Page, read_pages
from documents.scan.recognizer import Pixels, missing_packages

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
PAGED = {"TIFF", "HEIF"}  # several pictures in one of these are pages
BESIDE = {"MPO"}  # several in a JPEG that is one are the same, for other screens
MAX_SIDE = 4_000  # pixels of the longer side that are read
LEAST_SIDE = 12  # pixels of a picture in which letters can be told apart
TWO = "is two formats at once, a picture and {}: save it anew as a picture and attach that."
MOVING = "moves: it has {:,} pictures. Save the one that is meant by itself and attach it."
NO_HEIC = "is a HEIC picture, and pi_heif, which reads those, is not installed. Save it as JPEG and attach that."


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The words in each picture of a file. Raises UnreadableFileError."""
    _check_alone(path)
    if missing_packages():  # the one who asked says how to install them
        raise UnreadableFileError(f"needs {', '.join(missing_packages())}")
    Image.MAX_IMAGE_PIXELS = None  # ours is asked first, and says more
    try:
        with Image.open(path, formats=_formats(path)) as image:
            count = _count(image)
            limits.check_pages(count, "pictures")
            yield from read_pages(_pages(image, count, limits), limits)
    except UnidentifiedImageError as error:
        raise UnreadableFileError(BROKEN) from error


def _check_alone(path: Path) -> None:
    """Check that a file is a picture and nothing else besides. Raises UnreadableFileError."""
    with path.open("rb") as file:
        if PDF in file.read(PDF_BEFORE + len(PDF)):
            raise UnreadableFileError(TWO.format("a PDF"))
        if zipfile.is_zipfile(file):
            raise UnreadableFileError(TWO.format("a ZIP archive"))


def _formats(path: Path) -> tuple[str, ...]:
    """What may be tried: one that is named by its first bytes."""
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            return FORMATS
    if find_spec("pi_heif") is None:
        raise UnreadableFileError(NO_HEIC)
    import pi_heif  # type: ignore[import-untyped]

    pi_heif.register_heif_opener(thumbnails=False)
    return ("HEIF",)


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
    shown = ImageOps.exif_transpose(_with_8_bits(image))
    if shown.has_transparency_data:
        shown = shown.convert("RGBA")
        white = Image.new("RGBA", shown.size, (255, 255, 255, 255))
        shown = Image.alpha_composite(white, shown)
    shown = shown.convert("RGB")
    shown.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    if min(shown.size) < LEAST_SIDE:
        shown = ImageOps.expand(shown, LEAST_SIDE, (255, 255, 255))
    return np.ascontiguousarray(np.asarray(shown)[:, :, ::-1])


def _with_8_bits(image: Image.Image) -> Image.Image:
    """The picture, where it has more bits than that, from black to white as it uses them."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float32)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if image.mode.startswith("I") and low >= 0 and 255 < high <= 65_535:
        low, high = 0.0, 65_535.0
    scaled = np.nan_to_num((values - low) * (255.0 / max(high - low, 1e-9))).clip(0, 255).astype(np.uint8)
    grey = Image.fromarray(scaled)
    grey.info.update({name: value for name, value in image.info.items() if name == "exif"})
    return grey
