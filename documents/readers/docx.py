"""Word documents of 2007 and later. Knows what stands in their archive; nothing of how it looks."""

from collections.abc import Iterator
from pathlib import Path

from documents.part import Limits, Part, UnreadableFileError
from documents.readers import archive


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The whole text. Raises UnreadableFileError."""
    import docx2txt  # type: ignore[import-untyped]

    if "word/document.xml" not in archive.read_names(path, limits):
        raise UnreadableFileError("is no Word document inside, though it is named like one. Save it as DOCX.")
    yield Part(docx2txt.process(str(path)))
