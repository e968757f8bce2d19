"""Pictures for tests, and a model that sees them: it says how large they are and which colour is in their middle."""

from base64 import b64decode
from io import BytesIO
from typing import Any

from PIL import Image

from documents.pictures.picture import Picture

COLOURS = {"red": (220, 30, 30), "green": (20, 150, 40), "blue": (30, 60, 220)}


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(name: str = "red.png", colour: str = "red") -> Picture:
    """A small picture of one colour, which comes out of its preparation as it is."""
    return Picture(name, "image/png", 40, 20, encode(Image.new("RGB", (40, 20), colour)))


def drawn(colour: str, size: tuple[int, int] = (640, 480), kind: str = "PNG", **options: Any) -> bytes:
    """The file of a picture of one colour."""
    file = BytesIO()
    Image.new("RGB", size, COLOURS[colour]).save(file, kind, **options)
    return file.getvalue()


def look(asked: dict[str, Any]) -> str:
    """What a model that sees says of the pictures that came with the last message."""
    content = asked["messages"][-1]["content"]
    blocks = content if isinstance(content, list) else []
    addresses = [block["image_url"]["url"] for block in blocks if block["type"] == "image_url"]
    return f"I see {', '.join(map(describe, addresses)) or 'nothing'}."


def describe(address: str) -> str:
    """Colour and size of a picture that is in its address."""
    with Image.open(BytesIO(b64decode(address.partition(";base64,")[2]))) as image:
        found: Any = image.convert("RGB").getpixel((image.width // 2, image.height // 2))
        distances = {name: sum(abs(a - b) for a, b in zip(each, found, strict=True)) for name, each in COLOURS.items()}
        return f"{min(distances, key=lambda name: distances[name])} {image.width} x {image.height}"
