"""What a picture's file is, told before it is unpacked, and its pixels with 8 bits a colour. Knows pillow; no limits.

A file that is something else as well is refused: who looks at it next might take it for that.
"""

import zipfile
from importlib.util import find_spec
from typing import IO

from PIL import Image

from documents.kind import PDF, PDF_BEFORE
from documents.part import UnreadableFileError

TWO = "is two formats at once, a picture and {}: save it anew as a picture and attach that."
MOVING = "moves: it has {:,} pictures. Save the one that is meant by itself and attach it."
NO_HEIC = "is a HEIC picture, and pi_heif, which reads those, is not installed. Save it as JPEG and attach that."
BESIDE = {"MPO"}  # several in a JPEG that is one are the same, for other screens


def check_alone(file: IO[bytes]) -> None:
    """Check that a file is a picture and nothing else besides. Raises UnreadableFileError."""
    file.seek(0)
    if PDF in file.read(PDF_BEFORE + len(PDF)):
        raise UnreadableFileError(TWO.format("a PDF"))
    if zipfile.is_zipfile(file):
        raise UnreadableFileError(TWO.format("a ZIP archive"))


def is_heic(file: IO[bytes]) -> bool:
    """Whether a file is of the family of HEIC; what reads those is told to pillow. Raises UnreadableFileError."""
    file.seek(0)
    if file.read(8)[4:] != b"ftyp":
        return False
    if find_spec("pi_heif") is None:
        raise UnreadableFileError(NO_HEIC)
    import pi_heif  # type: ignore[import-untyped]

    pi_heif.register_heif_opener(thumbnails=False)
    return True


def with_8_bits(image: Image.Image) -> Image.Image:
    """The picture, where it has more bits than that, from black to white as it uses them."""
    if not image.mode.startswith(("I", "F")):
        return image
    import numpy as np

    values = np.asarray(image, dtype=np.float32)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if image.mode.startswith("I") and low >= 0 and 255 < high <= 65_535:
        low, high = 0.0, 65_535.0
    scaled = np.nan_to_num((values - low) * (255.0 / max(high - low, 1e-9))).clip(0, 255).astype(np.uint8)
    grey = Image.fromarray(scaled)
    grey.info.update({name: value for name, value in image.info.items() if name == "exif"})
    return grey


def on_white(image: Image.Image) -> Image.Image:
    """The picture in red, green and blue, on white where one could see through it."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    return image.convert("RGB")
