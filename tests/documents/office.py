"""Word files for tests: real ones by python-docx, and the same with other insides."""

from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from docx import Document

SPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
INSIDE = "word/document.xml"


def docx(*paragraphs: str) -> bytes:
    """A Word file with these paragraphs."""
    made, file = Document(), BytesIO()
    for each in paragraphs:
        made.add_paragraph(each)
    made.save(file)
    return file.getvalue()


def markup(text: bytes, before: bytes = b"") -> bytes:
    """What stands inside such a file."""
    body = b"<w:body><w:p><w:r><w:t>" + text + b"</w:t></w:r></w:p></w:body>"
    return before + b'<w:document xmlns:w="' + SPACE.encode() + b'">' + body + b"</w:document>"


def holding(inside: bytes) -> bytes:
    """A Word file with this in the place of its text."""
    file = BytesIO()
    with ZipFile(BytesIO(docx("x"))) as source, ZipFile(file, "w", ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, inside if name == INSIDE else source.read(name))
    return file.getvalue()


def lying(data: bytes, size: int) -> bytes:
    """The same archive, which says of its text that it has so few bytes."""
    made, name, told = bytearray(data), INSIDE.encode(), size.to_bytes(4, "little")
    at = made.find(name)
    while at >= 0:
        for mark, header, field in ((b"PK\x03\x04", 30, 22), (b"PK\x01\x02", 46, 24)):
            if made[at - header :].startswith(mark):
                made[at - header + field : at - header + field + 4] = told
        at = made.find(name, at + 1)
    return bytes(made)
