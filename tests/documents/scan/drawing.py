"""Pages with words drawn as pictures, for tests: in columns, tables, several languages."""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import matplotlib
import pytest
from PIL import Image, ImageDraw, ImageFont

from documents.scan.recognizer import missing_packages

DEJAVU = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
needs_scans = pytest.mark.skipif(bool(missing_packages()), reason="pip install -r requirements-scans.txt")
# For a process as if what reads scans were not installed: the beginning of a program, or its sitecustomize.py.
WITHOUT_SCANS = "import sys\nsys.modules['rapidocr'] = None\n"
Words = Sequence[tuple[float, float, str]]  # from the left and the top, in pixels


@cache
def font(size: int, *, cjk: bool = False) -> ImageFont.FreeTypeFont:
    """A font with Latin letters, or one with Chinese and Japanese ones."""
    return ImageFont.truetype(str(cjk_font() if cjk else DEJAVU), size)


def cjk_font() -> Path:
    """Noto Sans CJK, as its package brings it."""
    spec = find_spec("noto_cjk_sans_jp_regular")
    assert spec is not None, "pip install -r requirements-dev.txt"
    assert spec.submodule_search_locations
    return next(Path(spec.submodule_search_locations[0]).rglob("*.otf"))


def draw(words: Words, size: tuple[int, int] = (1200, 800), points: int = 32, *, cjk: bool = False) -> Image.Image:
    """A white picture with these words in it."""
    image = Image.new("L", size, 255)
    drawing = ImageDraw.Draw(image)
    for left, top, text in words:
        drawing.text((left, top), text, font=font(points, cjk=cjk), fill=0)
    return image


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def lines(*texts: str, left: float = 80, top: float = 60, step: float = 60) -> list[tuple[float, float, str]]:
    """Words for `draw`, a line below the other."""
    return [(left, top + number * step, text) for number, text in enumerate(texts)]
