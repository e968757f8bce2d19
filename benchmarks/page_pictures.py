"""Pictures of pages made by code: in several fonts, clean, skewed, noisy, or as if photographed. Knows pixels only.

Each is the same with every run: chance is seeded by the page's number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

DPI = 200
SIZE = (1654, 2339)  # pixels of A4
MARGIN = 150
LEADING = 1.35
PAPER, INK, TABLE = 255, 20, 70
KINDS = ("clean", "skewed", "noisy", "photographed")
DEBIAN = Path("/usr/share/fonts")
FONTS = {  # by what they look like: from packages that tests need anyway, then Debian's fonts-liberation and -crosextra
    "DejaVu Sans": "DejaVuSans.ttf",
    "DejaVu Sans Mono": "DejaVuSansMono.ttf",
    "DejaVu Serif": "DejaVuSerif.ttf",
    "STIX (Times)": "STIXGeneral.ttf",
    "Liberation Sans (Arial)": "LiberationSans-Regular.ttf",
    "Liberation Serif (Times)": "LiberationSerif-Regular.ttf",
    "Liberation Mono (Courier)": "LiberationMono-Regular.ttf",
    "Carlito (Calibri)": "Carlito-Regular.ttf",
}
Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class PagePicture:
    """A page: its words as they were set, and its picture as JPEG."""

    text: str
    data: bytes
    font: str
    points: float
    kind: str


def font_files() -> dict[str, Path]:
    """The fonts that are here, by name."""
    import matplotlib

    folders = [Path(matplotlib.get_data_path()) / "fonts" / "ttf", *(DEBIAN.rglob("*") if DEBIAN.is_dir() else ())]
    found = {}
    for name, file in FONTS.items():
        path = next((folder / file for folder in folders if (folder / file).is_file()), None)
        if path is not None:
            found[name] = path
    return found


def set_text(text: str, font: Path, points: float, size: tuple[int, int] = SIZE) -> tuple[Image.Image, str]:
    """A clean page with as much of a text as it holds, and that."""
    image = Image.new("L", size, PAPER)
    drawing, letters = ImageDraw.Draw(image), ImageFont.truetype(str(font), round(points * DPI / 72))
    columns = int((size[0] - 2 * MARGIN) / letters.getlength("abcdefghijklmnopqrstuvwxyz ") * 27)
    top, step, held = MARGIN, round(points * DPI / 72 * LEADING), list[str]()
    for line in wrap(text, columns):
        if top + step > size[1] - MARGIN:
            break
        drawing.text((MARGIN, top), line, font=letters, fill=INK)
        held.append(line)
        top += step
    return image, "\n".join(held)


def make_page(text: str, name: str, font: Path, points: float, kind: str, seed: int) -> PagePicture:
    """A page of some kind with a text."""
    image, held = set_text(text, font, points)
    chance = np.random.default_rng(seed)
    quality = {"clean": 90, "skewed": 85, "noisy": 50, "photographed": 60}[kind]
    changed = {"clean": lambda i, _: i, "skewed": skew, "noisy": add_noise, "photographed": photograph}[kind]
    return PagePicture(held, to_jpeg(changed(image, chance), quality), name, points, kind)


def skew(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    """The page laid on the glass a little askew."""
    angle = float(chance.uniform(1, 3) * chance.choice([-1, 1]))
    return image.rotate(angle, Image.Resampling.BICUBIC, fillcolor=PAPER)


def add_noise(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    """A poor copy: pale, blurred, grainy, with specks, slightly askew."""
    blurred = skew(image, chance).filter(ImageFilter.GaussianBlur(float(chance.uniform(0.8, 1.4))))
    pixels = np.asarray(blurred, np.float32) * 0.55 + 90
    pixels += chance.normal(0, float(chance.uniform(14, 24)), pixels.shape)
    specks = chance.random(pixels.shape)
    pixels[specks < 0.0015], pixels[specks > 0.9985] = 30, 250
    return _from(pixels)


def photograph(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    """The page on a table, seen at an angle by a lamp's light, with the grain of a small camera."""
    width, height = image.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    moved = corners + chance.uniform(0.01, 0.06, (4, 2)) * [[1, 1], [-1, 1], [-1, -1], [1, -1]] * [width, height]
    seen = image.transform(
        image.size, Image.Transform.PERSPECTIVE, _perspective(moved, corners), Image.Resampling.BICUBIC, fillcolor=TABLE
    )
    blurred = seen.filter(ImageFilter.GaussianBlur(float(chance.uniform(0.6, 1.1))))
    pixels = np.asarray(blurred, np.float32) * _light(image.size, chance)
    return _from(pixels + chance.normal(0, 7, pixels.shape))


def to_jpeg(image: Image.Image, quality: int) -> bytes:
    """The picture as JPEG, with its resolution."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality, dpi=(DPI, DPI))
    return file.getvalue()


def scanned_pdf(pages: Sequence[bytes]) -> bytes:
    """A PDF with a picture on each page, and no letter."""
    from reportlab.lib.utils import ImageReader  # type: ignore[import-untyped]
    from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

    file = BytesIO()
    canvas = Canvas(file, invariant=True)
    for data in pages:
        picture = ImageReader(BytesIO(data))
        width, height = (side * 72 / DPI for side in picture.getSize())
        canvas.setPageSize((width, height))
        canvas.drawImage(picture, 0, 0, width, height)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def _perspective(seen: NDArray[np.float64], flat: NDArray[np.float64]) -> list[float]:
    """The eight numbers by which a place in the photograph is looked up on the page."""
    rows, values = [], []
    for (x, y), (u, v) in zip(seen, flat, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(each) for each in np.linalg.solve(np.array(rows), np.array(values))]


def _light(size: tuple[int, int], chance: np.random.Generator) -> NDArray[np.float32]:
    """How much of the light falls where: less towards one side."""
    angle = float(chance.uniform(0, 2 * math.pi))
    across, down = np.linspace(-1, 1, size[0]), np.linspace(-1, 1, size[1])[:, None]
    slope = (across * math.cos(angle) + down * math.sin(angle)) / math.sqrt(2)
    return (0.72 + 0.26 * slope).astype(np.float32)


def _from(pixels: NDArray[np.floating[Any]]) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
