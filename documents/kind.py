"""Which files can be read: those whose name and first bytes agree on a kind that is known. Reads nothing else."""

from dataclasses import dataclass
from pathlib import PurePath
from unicodedata import category

from documents.errors import DocumentError

SNIFF_BYTES = 4096  # first bytes that tell what a file is
PDF, ZIP, OLE = b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
BINARY = {
    PDF: "a PDF",
    ZIP: "a ZIP archive or an Office file",
    OLE: "an Office file of before 2007",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"{\\rtf": "an RTF file",
}
PDF_BEFORE = 1024  # bytes that may stand before a PDF's mark
MAX_NAME = 200  # characters of a name
OFFICE = {"docx", "xlsx", "pptx", "epub"}  # archives; Office's with a password have the form of before 2007
NEWER = {  # endings of files that their programs save otherwise, too
    **dict.fromkeys(("doc", "rtf", "odt", "wps"), "DOCX"),
    **dict.fromkeys(("xls", "xlsb", "ods", "numbers"), "XLSX"),
    **dict.fromkeys(("ppt", "pps", "odp", "key"), "PPTX"),
    **dict.fromkeys(("mobi", "azw", "azw3", "fb2"), "EPUB"),
    "pages": "PDF",
}
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # of Unicode: control, direction, halves of pairs, line ends


@dataclass(frozen=True)
class Kind:
    """`unit`: what its parts are that are counted, "page"; None where there are none."""

    name: str
    unit: str | None = None


KINDS = {
    "pdf": Kind("pdf", unit="page"),
    "docx": Kind("docx"),
    "docm": Kind("docx"),
    "dotx": Kind("docx"),
    "dotm": Kind("docx"),
    "xlsx": Kind("xlsx"),
    "xlsm": Kind("xlsx"),
    "xltx": Kind("xlsx"),
    "xltm": Kind("xlsx"),
    "pptx": Kind("pptx", unit="slide"),
    "pptm": Kind("pptx", unit="slide"),
    "ppsx": Kind("pptx", unit="slide"),
    "potx": Kind("pptx", unit="slide"),
    "epub": Kind("epub"),
    "md": Kind("text"),
    "markdown": Kind("text"),
    "txt": Kind("text"),
    "text": Kind("text"),
    "log": Kind("text"),
    "csv": Kind("csv"),
    "tsv": Kind("csv"),
    "tab": Kind("csv"),
    "html": Kind("html"),
    "htm": Kind("html"),
    "xhtml": Kind("html"),
}
UNITS = {kind.name: kind.unit for kind in KINDS.values()}
READABLE = "PDF, DOCX, XLSX, PPTX, EPUB, Markdown, text, CSV and HTML"


def display_name(name: str) -> str:
    """A file's name as people are shown it: no folder, nothing that cannot be seen, not over-long."""
    last = "".join(
        "_" if category(letter) in INVISIBLE else letter for letter in PurePath(name.replace("\\", "/")).name
    )
    ending = PurePath(last).suffix[:MAX_NAME]
    last = last or "document"
    return last if len(last) <= MAX_NAME else f"{last[: MAX_NAME - 1 - len(ending)]}…{ending}"[:MAX_NAME]


def counted_units(name: str) -> str:
    """What a file with this name is read in, for people: "pages", "slides"."""
    kind = KINDS.get(PurePath(name).suffix.removeprefix(".").lower())
    return f"{(kind and kind.unit) or 'page'}s"


def detect_kind(name: str, first: bytes) -> Kind:
    """What a file is, from its name and first bytes. Raises DocumentError where it is nothing that can be read."""
    ending = PurePath(name).suffix.removeprefix(".").lower()
    if ending not in KINDS:
        remedy = f" Save it as {NEWER[ending]} and attach that." if ending in NEWER else ""
        endings = ", ".join(sorted(KINDS))
        raise DocumentError(f"{name}: files of this kind are not read, only {READABLE} ({endings}).{remedy}")
    if not first.strip():
        raise DocumentError(f"{name} is empty: there is nothing to read in it.")
    kind = KINDS[ending]
    if _fits(kind.name, first):
        return kind
    seen = _binary(first) or "text"
    raise DocumentError(f"{name} is no {ending.upper()} file: its first bytes are those of {seen}. Give it its name.")


def _fits(kind: str, first: bytes) -> bool:
    """Whether a file of a kind may begin so."""
    if kind == "pdf":
        return PDF in first[: PDF_BEFORE + len(PDF)]
    return first.startswith((ZIP, OLE)) if kind in OFFICE else not _binary(first)


def _binary(first: bytes) -> str | None:
    """What a file is that is no text; UTF-16 says so with its first two bytes."""
    kind = next((kind for mark, kind in BINARY.items() if first.startswith(mark)), None)
    utf16 = first[:2] in {b"\xff\xfe", b"\xfe\xff"}
    return kind or ("binary data, or of UTF-16 without its mark" if b"\0" in first and not utf16 else None)
