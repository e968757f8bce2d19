"""A picture's file as the red, green and blue of its pixels, by pillow. Knows PNG, JPEG and WebP; no model."""

from io import BytesIO
from typing import NamedTuple

from langchain_core.exceptions import ModelInvalidRequestError

FORMATS = ("PNG", "JPEG", "WEBP")
MOST = 50_000_000  # pixels that are unpacked
WHITE = (255, 255, 255, 255)


class Pixels(NamedTuple):
    """The pixels of a picture, row by row, three bytes each."""

    width: int
    height: int
    data: bytes


def read_pixels(data: bytes) -> Pixels:
    """The pixels of a picture as it is shown: upright, on white. Raises ModelInvalidRequestError."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST:
                raise ModelInvalidRequestError(
                    f"A picture of the message has {image.width} x {image.height} pixels, and at most {MOST:,} are "
                    "unpacked: make it smaller."
                )
            shown = ImageOps.exif_transpose(image)
            if shown.has_transparency_data:
                shown = Image.alpha_composite(Image.new("RGBA", shown.size, WHITE), shown.convert("RGBA"))
            shown = shown.convert("RGB")
            return Pixels(shown.width, shown.height, shown.tobytes())
    except UnidentifiedImageError as error:
        raise ModelInvalidRequestError(
            f"A picture of the message ({len(data):,} bytes) is no PNG, JPEG or WebP: save it as one."
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ModelInvalidRequestError(
            f"A picture of the message cannot be unpacked ({error}): save it anew and send that."
        ) from error
