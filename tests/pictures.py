"""Pictures for tests of those that models are shown."""

from io import BytesIO

from PIL import Image

from documents.pictures.picture import Picture


def encode(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """The picture as a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(name: str = "red.png", colour: str = "red") -> Picture:
    """A small picture of one colour, which comes out of its preparation as it is."""
    return Picture(name, "image/png", 40, 20, encode(Image.new("RGB", (40, 20), colour)))
