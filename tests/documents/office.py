"""Word files for tests: real ones by python-docx, and the same with other insides."""

from collections.abc import Mapping
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


TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONSHIPS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
PREFIXES = (
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    f'xmlns:r="{OFFICE}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)


def package(parts: Mapping[str, str | bytes]) -> bytes:
    """An archive with these members."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return file.getvalue()


def content_types(parts: dict[str, str]) -> str:
    """What these parts are."""
    rows = "".join(f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in parts.items())
    defaults = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
    )
    return f'<Types xmlns="{TYPES}">{defaults}{rows}</Types>'


def relationships(kinds: dict[str, str], space: str = OFFICE) -> str:
    """What leads to these targets, by the last words of their types."""
    rows = "".join(
        f'<Relationship Id="rId{number}" Type="{space}/{kind}" Target="{target}"/>'
        for number, (target, kind) in enumerate(kinds.items(), 1)
    )
    return f'<Relationships xmlns="{RELATIONSHIPS}">{rows}</Relationships>'


def word(
    body: str,
    parts: dict[str, str] | None = None,
    main: str = "word/document.xml",
    space: str = SPACE,
    office: str = OFFICE,
) -> bytes:
    """A Word file with this markup as its body; `parts` are other roots of it, as `footnotes`, by their names."""
    folder, _, name = main.rpartition("/")
    others = parts or {}
    kinds = {f"{each}.xml": each.rstrip("0123456789") for each in others}
    inside = f'<w:document xmlns:w="{space}" {PREFIXES}><w:body>{body}</w:body></w:document>'
    return package(
        {
            "[Content_Types].xml": content_types({main: WORD}),
            "_rels/.rels": relationships({main: "officeDocument"}, office),
            main: inside,
            f"{folder}/_rels/{name}.rels": relationships(kinds, office),
        }
        | {
            f"{folder}/{each}.xml": content.replace(">", f' xmlns:w="{space}" {PREFIXES}>', 1)
            for each, content in others.items()
        }
    )
