"""Small pictures of pages, and of a region of one with its lines marked. Knows boxes; nothing of who sees them."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from documents.part import Box
from documents.scan.recognizer import Pixels

MAX_SIZE = (1100, 1600)  # pixels of a page: small letters can just be read
QUALITY = 50  # of WebP: some 60 kB a page
REGION_QUALITY = 75
MARGIN = 0.03  # of the page's height, above and below the lines
MARK = (255, 241, 150)
PADDING = 2  # pixels around a line


def make_preview(picture: Pixels) -> bytes:
    """The picture of a page as it is kept, as WebP."""
    image = Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
    image.thumbnail(MAX_SIZE, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return _encode(image, QUALITY)


def draw_region(preview: bytes, region: Sequence[Box]) -> bytes:
    """The part of a page's picture with these lines, which are marked, as WebP."""
    with Image.open(BytesIO(preview), formats=["WEBP"]) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    marks = Image.new("RGB", image.size, (255, 255, 255))
    drawing = ImageDraw.Draw(marks)
    for left, top, right, bottom in region:
        corners = (left * width - PADDING, top * height - PADDING, right * width + PADDING, bottom * height + PADDING)
        drawing.rectangle(corners, fill=MARK)
    marked = ImageChops.multiply(image, marks)
    first = max(0, int((min(box[1] for box in region) - MARGIN) * height))
    last = min(height, int((max(box[3] for box in region) + MARGIN) * height) + 1)
    return _encode(marked.crop((0, first, width, max(last, first + 1))), REGION_QUALITY)


def _encode(image: Image.Image, quality: int) -> bytes:
    file = BytesIO()
    image.save(file, "WEBP", quality=quality, method=3)
    return file.getvalue()
