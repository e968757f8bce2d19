"""Pictures for models that see: what comes out of every form of file, and what is refused in one line."""

import struct
import zlib
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from documents.pictures.picture import Picture, PictureError
from documents.pictures.prepare import looks_like_picture, prepare
from documents.pictures.settings import PictureSettings
from tests.pictures import encode

pytestmark = pytest.mark.server  # pictures are unpacked by a process of their own
RED, BLUE = (200, 30, 30), (30, 30, 200)


def two_halves(width: int = 64, height: int = 32) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def pixels(picture: Picture) -> Image.Image:
    with Image.open(BytesIO(picture.data)) as image:
        assert f"image/{str(image.format).lower()}" == picture.mime_type
        assert image.size == (picture.width, picture.height)
        assert image.mode == "RGB"
        return image.convert("RGB")


def near(found: object, wanted: tuple[int, int, int], by: int = 40) -> bool:
    assert isinstance(found, tuple)
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    ("name", "data", "mime_type"),
    [
        ("a.png", encode(two_halves()), "image/png"),
        ("a.png", encode(two_halves(), "JPEG"), "image/jpeg"),  # its bytes say what it is, not its name
        ("a.webp", encode(two_halves(), "WEBP"), "image/jpeg"),
        ("cmyk.jpg", encode(two_halves().convert("CMYK"), "JPEG", quality=95), "image/jpeg"),
        ("palette.png", encode(two_halves().convert("P", palette=Image.Palette.ADAPTIVE)), "image/png"),
    ],
    ids=("png", "jpeg", "webp", "cmyk", "palette"),
)
def test_every_format_comes_out_as_red_green_and_blue(name: str, data: bytes, mime_type: str) -> None:
    picture = prepare(name, data)
    assert (picture.name, picture.mime_type, picture.width, picture.height) == (name, mime_type, 64, 32)
    image = pixels(picture)
    assert near(image.getpixel((10, 16)), RED)
    assert near(image.getpixel((54, 16)), BLUE)


def test_16_bits_become_8_and_what_is_clear_white() -> None:
    deep = Image.fromarray(np.full((20, 20), 32_768, dtype=np.uint16))
    assert near(pixels(prepare("deep.png", encode(deep))).getpixel((5, 5)), (128, 128, 128), 2)
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert pixels(prepare("clear.png", encode(clear))).getpixel((5, 5)) == (255, 255, 255)


def test_a_photograph_is_upright_scaled_and_says_nothing_of_where_it_was_taken() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8825] = 6, "SECRET place", {1: "N", 2: (52.0, 30.0, 0.0)}
    lying = two_halves(3000, 2000).rotate(90, expand=True)  # the camera was held upright
    data = encode(lying, "JPEG", quality=90, exif=exif, comment=b"SECRET comment") + b"SECRET behind its end"
    picture = prepare("holiday.jpg", data)
    assert (picture.width, picture.height) == (1568, 1045)
    image = pixels(picture)
    assert near(image.getpixel((100, 500)), RED)
    assert near(image.getpixel((1500, 500)), BLUE)
    assert b"SECRET" not in picture.data
    assert b"Exif" not in picture.data
    told = PngImagePlugin.PngInfo()
    told.add_text("where", "SECRET place")
    assert b"SECRET" not in prepare("a.png", encode(two_halves(), pnginfo=told)).data


def test_what_takes_much_without_loss_becomes_jpeg() -> None:
    picture = prepare("noise.png", encode(noise(900, 900)))
    assert picture.mime_type == "image/jpeg"
    assert picture.digest == prepare("again.png", encode(noise(900, 900))).digest


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is this large, in a few bytes."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", packed) + part(b"IEND", b"")


def with_zip(data: bytes) -> bytes:
    file = BytesIO(data)
    with ZipFile(file, "a") as archive:
        archive.writestr("a.txt", "hidden")
    return file.getvalue()


FRAMES = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty: there is no picture in it."),
        (encode(noise(64, 64), "JPEG")[:700], "is damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "is damaged or cut short"),
        (bomb(60_000, 60_000), "has 60,000 x 60,000 pixels; at most 100 million are unpacked (PICTURES_MAX_PIXELS)"),
        (encode(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "moves: it has 2 pictures."),
        (encode(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]), "moves: it has 2 pictures."),
        (encode(FRAMES[0], "GIF"), "is a GIF picture; pictures are taken as PNG, JPEG, WebP"),
        (encode(FRAMES[0], "TIFF"), "is a TIFF picture; pictures are taken as"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "is SVG, a drawing that is a program;"),
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF; pictures are taken as"),
        (b"just words", "is text; pictures are taken as"),
        (with_zip(encode(two_halves())), "is two formats at once, a picture and a ZIP archive"),
        (encode(two_halves(), "JPEG", comment=b"%PDF-1.4"), "is two formats at once, a picture and a PDF"),
    ],
    ids=range(13),
)
def test_bad_input_is_one_line(data: bytes, told: str) -> None:
    with pytest.raises(PictureError) as raised:
        prepare("a.png", data)
    assert str(raised.value).startswith(f"a.png {told}")
    assert "\n" not in str(raised.value)


def test_the_bounds_are_named() -> None:
    data = encode(noise(300, 300))
    with pytest.raises(PictureError, match=r"has 0.3 MB; at most 0.0 MB are taken as a picture .PICTURES_MAX_BYTES."):
        prepare("a.png", data, PictureSettings(max_bytes=1000))
    with pytest.raises(PictureError, match="at most 0 million are unpacked"):
        prepare("a.png", data, PictureSettings(max_pixels=10_000))
    small = prepare("a.png", data, PictureSettings(side=50))
    assert (small.width, small.height) == (50, 50)


def test_what_looks_like_a_picture() -> None:
    assert looks_like_picture(encode(FRAMES[0], "GIF"))
    assert looks_like_picture(encode(FRAMES[0], "JPEG"))
    assert not looks_like_picture(b"just words")
