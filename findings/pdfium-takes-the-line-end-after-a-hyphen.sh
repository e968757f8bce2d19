#!/usr/bin/env bash
# pypdfium2 5.15.2 (PDFium): a hyphen at a line's end comes out as U+FFFE, and the line's end is gone.
#
# Guess: the text of a page has its hyphens as "-", each line's end as "\r\n"; a word that is cut at a line's end is
#        "light-\r\nhouse".
# Seen:  "light\ufffehouse": a code that Unicode keeps from being a character, in the place of hyphen and line end, for
#        well-known as for lighthouse. After a digit both stay. FPDFText_GetUnicode has U+0002 there, IsHyphen says 1.
# So:    who drops U+FFFE glues "wellknown"; who keeps it searches in vain for both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pypdfium2==5.15.2 reportlab==5.1.0 2>/dev/null
cat >hyphens.py <<'PY'
from importlib.metadata import version
from io import BytesIO

import pypdfium2
from pypdfium2 import raw
from reportlab.pdfgen.canvas import Canvas

file = BytesIO()
canvas = Canvas(file)
for number, line in enumerate(["the light-", "house is well-", "known, 1990-", "2000"]):
    canvas.drawString(72, 700 - 15 * number, line)
canvas.save()
page = pypdfium2.PdfDocument(file.getvalue())[0].get_textpage()
text = page.get_text_range()
print("pypdfium2", version("pypdfium2"), ascii(text))
assert text == "the light\ufffehouse is well\ufffeknown, 1990-\r\n2000"
at = text.index("\ufffe")
print("one by one:", hex(raw.FPDFText_GetUnicode(page, at)), "is a hyphen:", raw.FPDFText_IsHyphen(page, at))
assert (raw.FPDFText_GetUnicode(page, at), raw.FPDFText_IsHyphen(page, at)) == (2, 1)
PY
venv/bin/python hyphens.py
