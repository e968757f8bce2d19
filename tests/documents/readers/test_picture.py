"""Pictures as files: words in several languages and layouts, every format, and what is refused in one line."""

import struct
import zlib
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from documents.errors import DocumentError
from documents.load import Loaded, load
from documents.settings import DocumentSettings
from documents.split import split_parts
from tests.documents.scan.drawing import draw, encode, lines, needs_scans
from tests.pdf import pdf

pytestmark = [pytest.mark.server, needs_scans]  # pictures are read by a process of their own
FACT = "The lamp of Ardmore is green."
NOTE = draw(lines("Notes of the keeper", FACT, "It was lit every evening at six."))
PNG = encode(NOTE)
WORDS = "Notes of the keeper\nThe lamp of Ardmore is green.\nIt was lit every evening at six."


def read(name: str, data: bytes, limits: DocumentSettings | None = None) -> Loaded:
    return load(name, data, limits or DocumentSettings())


def text_of(name: str, data: bytes) -> str:
    [part] = read(name, data).parts
    return part.text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", PNG),
        ("a.JPG", encode(NOTE, "JPEG", quality=80)),
        ("a.webp", encode(NOTE, "WEBP", quality=70)),
        ("a.tif", encode(NOTE, "TIFF", compression="tiff_lzw")),
        ("fax.tiff", encode(NOTE.convert("1"), "TIFF", compression="group4")),
        ("cmyk.jpg", encode(NOTE.convert("CMYK"), "JPEG", quality=90)),
        ("palette.png", encode(NOTE.convert("P"))),
        ("clear.png", encode(Image.merge("LA", (Image.new("L", NOTE.size), NOTE.point(lambda p: 255 - p))))),
        ("deep.png", encode(Image.fromarray(np.asarray(NOTE).astype(np.uint16) * 257))),
        ("float.tif", encode(Image.fromarray(np.asarray(NOTE).astype(np.float32) / 255), "TIFF")),
        ("dark.png", encode(NOTE.point(lambda p: 255 - p))),
    ],
)
def test_words_in_every_format(name: str, data: bytes) -> None:
    assert text_of(name, data) == WORDS


def test_a_photograph_that_lies_is_turned_as_its_camera_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter of a turn to the right
    lying = NOTE.rotate(90, expand=True)
    assert text_of("a.jpg", encode(lying, "JPEG", quality=90, exif=exif)) == WORDS


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_on_its_side_or_head_is_turned(turn: int) -> None:
    [part] = read("a.png", encode(NOTE.rotate(turn, expand=True))).parts
    assert part.text == WORDS
    _, top, right, _ = part.lines[0].box  # on the page as it is shown, which is upright
    assert top < 0.15 < right < 0.6
    with Image.open(BytesIO(part.picture or b"")) as shown:
        assert (shown.format, shown.size) == ("WEBP", (1100, 733))


@pytest.mark.parametrize("size", [(4_000, 60), (2_000, 60), (2_500, 200)])
def test_a_strip_of_one_line_is_read(size: tuple[int, int]) -> None:
    assert text_of("a.png", encode(draw(lines(FACT, left=20, top=5), size=size))) == FACT


def test_pages_of_a_tiff_are_pages() -> None:
    pages = [draw(lines(f"This is sheet number {number}.")) for number in (1, 2, 3)]
    told: list[tuple[int, int]] = []
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    loaded = load("fax.tif", data, DocumentSettings(), lambda done, of: told.append((done, of)))
    assert [part.text for part in loaded.parts] == [f"This is sheet number {number}." for number in (1, 2, 3)]
    assert [part.place for part in loaded.parts] == ["page 1", "page 2", "page 3"]
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("texts", "cjk"),
    [
        (["Die Miete ist am dritten Werktag fällig.", "Größere Schäden sind zu melden."], False),
        (["L'été, la gérante reçoit les hôtes à midi.", "Où sont les clés du gîte ?"], False),
        (["灯台の光は緑色です。", "毎晩六時に点灯しました。"], True),
        (["灯塔的灯是绿色的。", "每天晚上六点点灯。"], True),
    ],
)
def test_languages(texts: list[str], cjk: bool) -> None:
    assert text_of("a.png", encode(draw(lines(*texts), cjk=cjk, points=36))) == "\n".join(texts)


def test_two_columns_and_a_table() -> None:
    left = ["The harbour was dug by hand in", "the year of the great frost, and", "silted up again within ten years."]
    right = ["Letters took nine days from the", "capital, and the answer as long;", "nobody wrote of the weather."]
    both = [*lines(*left, left=60), *lines(*right, left=720)]
    page = encode(draw(both, size=(1400, 400), points=34))
    assert text_of("a.png", page).split() == " ".join([*left, *right]).split()
    table = [*lines("Oil", "Wicks", "Candles", left=80), *lines("3.50", "12.00", "7.25", left=800)]
    assert text_of("b.png", encode(draw(table))).splitlines() == ["Oil | 3.50", "Wicks | 12.00", "Candles | 7.25"]


def test_passages_know_page_and_region() -> None:
    passages = list(split_parts(read("a.png", PNG).parts))
    assert [(each.page, each.place) for each in passages] == [(1, "page 1")]
    region = passages[0].region or ()
    assert len(region) == 3
    for at, (left, top, right, bottom) in enumerate(region):
        assert left == pytest.approx(80 / 1200, abs=0.02)
        assert top < (60 + 60 * at + 20) / 800 < bottom
        assert right < 0.6


def animation(kind: str) -> bytes:
    return encode(NOTE, kind, save_all=True, append_images=[draw(lines("other"))], duration=100)


def huge_png(width: int, height: int) -> bytes:
    """A file of a few bytes that says it is so large."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def archive() -> bytes:
    file = BytesIO()
    with ZipFile(file, "w") as made:
        made.writestr("letter.txt", "hello")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.png", PNG[: len(PNG) // 2], "a.png is damaged or cut short and cannot be read"),
        ("a.png", PNG[:40], "a.png is damaged or cut short and cannot be read"),
        ("a.jpg", encode(NOTE, "JPEG")[:200], "a.jpg is damaged or cut short and cannot be read"),
        ("a.png", b"", "a.png is empty"),
        ("a.jpg", PNG, "a.jpg is no JPG file: its first bytes are those of a PNG picture. Give it its name."),
        ("a.png", pdf(["words"]), "a.png is no PNG file: its first bytes are those of a PDF."),
        ("a.pdf", PNG, "a.pdf is no PDF file: its first bytes are those of a PNG picture."),
        ("a.gif", encode(NOTE, "GIF"), "a.gif: files of this kind are not read, only PDF"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg: files of this kind are not read, only PDF"),
        ("a.webp", animation("WEBP"), "a.webp moves: it has 2 pictures. Save the one that is meant by itself"),
        ("a.png", animation("PNG"), "a.png moves: it has 2 pictures."),
        ("a.png", huge_png(30_000, 30_000), "a.png has 30,000 x 30,000 pixels; at most 100 million are read"),
        ("a.png", huge_png(200, 200), "a.png is damaged or cut short and cannot be read"),
        ("a.png", PNG + archive(), "a.png is two formats at once, a picture and a ZIP archive"),
        ("a.jpg", b"\xff\xd8\xff\xfe\x00\x20%PDF-1.7" + PNG, "a.jpg is two formats at once, a picture and a PDF"),
        ("a.pdf", PNG[:200] + pdf(["words"]), "a.pdf is no PDF file: its first bytes are those of a PNG picture."),
        ("a.png", encode(Image.new("RGB", (400, 300), "navy")), "a.png holds no text, and none was found in its"),
        ("a.png", encode(Image.new("L", (1, 1))), "a.png holds no text, and none was found in its pictures"),
    ],
)
def test_what_cannot_be_read_is_one_line(name: str, data: bytes, said: str) -> None:
    with pytest.raises(DocumentError) as raised:
        read(name, data)
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_a_picture_has_its_time_and_its_size() -> None:
    with pytest.raises(DocumentError, match=r"at most 0 million are read \(DOCUMENTS_MAX_PIXELS\)\. Save it smaller"):
        read("a.png", PNG, DocumentSettings(max_pixels=1000))
    many = [draw(lines("sheet")) for _ in range(4)]
    with pytest.raises(DocumentError, match=r"has 4 pictures; at most 3 are read \(DOCUMENTS_MAX_PAGES\)"):
        read("a.tif", encode(many[0], "TIFF", save_all=True, append_images=many[1:]), DocumentSettings(max_pages=3))
    page = encode(draw(lines(*["words " * 12] * 40, step=50), size=(2000, 2200)))
    with pytest.raises(DocumentError, match=r"one of its pages more than 1 s \(DOCUMENTS_SCAN_SECONDS\);"):
        read("a.png", page, DocumentSettings(scan_seconds=1))
