"""PDF, page by page, by pypdfium2. Knows pages and their text; nothing of pictures in them."""

from collections.abc import Iterator
from pathlib import Path

from documents.part import Limits, Part


def read(path: Path, limits: Limits) -> Iterator[Part]:
    """The text of each page. Raises UnreadableFileError for too many pages, PdfiumError for damage and passwords."""
    import pypdfium2  # type: ignore[import-untyped]

    document = pypdfium2.PdfDocument(path.read_bytes())  # a path would be looked up: /dev/stdin is no name of a file
    count = len(document)
    limits.check_pages(count)
    for number, page in enumerate(document, 1):
        text_page = page.get_textpage()
        yield Part("\n".join(text_page.get_text_range().splitlines()), number, count, f"page {number}")
        text_page.close()
        page.close()
