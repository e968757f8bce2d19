"""The process that unpacks one picture, so that a hostile or huge one harms nothing else, and packs it again.

`python -m documents.pictures.child LIMITS` (as JSON) reads the file from its input and prints one line of JSON: the
picture, or {"error": text}. Only the formats named here are tried, and a picture's size is looked at before it is
unpacked. What comes out was drawn anew from its pixels: no metadata, no profile, nothing behind its end.
"""

import json
import os
import resource
import sys
from base64 import b64encode
from io import BytesIO
from typing import IO, Any

from PIL import Image, ImageOps, UnidentifiedImageError

from documents.allowance import limit_time
from documents.part import BROKEN, UnreadableFileError
from documents.pictures.form import BESIDE, MOVING, check_alone, is_heic, on_white, with_8_bits

FORMATS = ("PNG", "JPEG", "WEBP")
LOSSLESS = {"PNG"}  # drawings and screens, as a rule, whose letters JPEG would blur
MOST_LOSSLESS = 1_000_000  # bytes; what takes more is a photograph
QUALITY = 90  # of JPEG
MEMORY = 3 * 2**30  # bytes of address space
TOO_MUCH = "takes more memory to unpack than one picture may have: save it smaller and attach that."


def main(arguments: list[str]) -> None:
    """Read the picture that the input holds."""
    values = json.loads(arguments[0])
    limit_resources(values["seconds"])
    said, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no picture
    try:
        answer = read(sys.stdin.buffer, values["side"], values["max_pixels"])
    except UnreadableFileError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": TOO_MUCH}
    print(json.dumps(answer), file=said, flush=True)


def limit_resources(seconds: int) -> None:
    """From now on this process has so much memory and processor time, and lets others go before it: somebody waits."""
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    limit_time(seconds, seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read(file: IO[bytes], side: int, max_pixels: int) -> dict[str, Any]:
    """The picture in a file, packed anew. Raises UnreadableFileError."""
    check_alone(file)
    formats = ("HEIF",) if is_heic(file) else FORMATS
    file.seek(0)
    Image.MAX_IMAGE_PIXELS = None  # ours is asked first, and says more
    try:
        with Image.open(file, formats=formats) as image:
            check(image, max_pixels)
            is_lossless = image.format in LOSSLESS
            return pack(draw(image, side), is_lossless)
    except (MemoryError, UnreadableFileError):
        raise
    except UnidentifiedImageError as error:
        raise UnreadableFileError(BROKEN) from error
    except Exception as error:  # each format has its own kinds
        raise UnreadableFileError(BROKEN) from error


def check(image: Image.Image, max_pixels: int) -> None:
    """Check what a picture says of itself before it is unpacked. Raises UnreadableFileError."""
    count, (width, height) = int(getattr(image, "n_frames", 1)), image.size
    if count > 1 and image.format not in BESIDE:
        raise UnreadableFileError(MOVING.format(count))
    if width * height > max_pixels:
        raise UnreadableFileError(
            f"has {width:,} x {height:,} pixels; at most {max_pixels / 1e6:,.0f} million are unpacked "
            "(PICTURES_MAX_PIXELS). Save it smaller and attach that."
        )


def draw(image: Image.Image, side: int) -> Image.Image:
    """The picture as it is shown: turned as its camera says, on white, with 8 bits a colour, at most `side` long."""
    image.draft(None, (side, side))  # a large JPEG is unpacked at half its size or less
    shown = on_white(ImageOps.exif_transpose(with_8_bits(image)))
    shown.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    drawn = Image.new("RGB", shown.size)
    drawn.paste(shown)  # its pixels alone
    return drawn


def pack(image: Image.Image, is_lossless: bool) -> dict[str, Any]:
    """The picture as PNG where it was without loss and is small so, else as JPEG."""
    data, mime_type = b"", "image/png"
    if is_lossless:
        data = _encode(image, "PNG", optimize=False)
    if not data or len(data) > MOST_LOSSLESS:
        data, mime_type = _encode(image, "JPEG", quality=QUALITY), "image/jpeg"
    return {
        "mime_type": mime_type,
        "width": image.width,
        "height": image.height,
        "data": b64encode(data).decode(),
    }


def _encode(image: Image.Image, form: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
