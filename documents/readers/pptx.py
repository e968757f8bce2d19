"""PowerPoint presentations of 2007 and later, slide by slide. Knows their order; nothing of pictures on them."""

from collections.abc import Iterator
from pathlib import Path

from documents.office.package import Package
from documents.office.slide import slide_text
from documents.part import Limits, Part


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The text of each slide with its notes. Raises UnreadableFileError."""
    package = Package(path, limits, "p:presentation")
    parts = {each.id: each.target for each in package.relationships(package.main)}
    slides = [parts.get(each.get("r:id", ""), "") for each in package.root.iter("p:sldId")]
    limits.check_pages(len(slides), "slides")
    for number, part in enumerate(slides, 1):
        text = slide_text(package, part) if part in package else ""
        yield Part(text, number, len(slides), f"slide {number}")
