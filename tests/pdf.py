"""Real PDF files for tests: a text for each page, as reportlab sets it."""

from collections.abc import Sequence
from io import BytesIO
from textwrap import wrap

from reportlab.lib.pagesizes import A4  # type: ignore[import-untyped]
from reportlab.pdfgen.canvas import Canvas  # type: ignore[import-untyped]

LEFT, TOP, LEADING = 72, 770, 14  # points
COLUMNS = 85  # characters of a line


def pdf(pages: Sequence[str]) -> bytes:
    """One page for each text, its lines broken at the margin; an empty text is a page with a picture and no words."""
    file = BytesIO()
    canvas = Canvas(file, pagesize=A4, invariant=True)
    for page in pages:
        if not page.strip():
            canvas.rect(LEFT, LEFT, 300, 200, fill=1)
        text = canvas.beginText(LEFT, TOP)
        text.setLeading(LEADING)
        for line in page.splitlines():
            for part in wrap(line, COLUMNS) or [""]:
                text.textLine(part)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return file.getvalue()
