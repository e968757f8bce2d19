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
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"BM": "a BMP picture",
    b"II*\0": "a TIFF picture",
    b"MM\0*": "a TIFF picture",
    b"II+\0": "a TIFF picture",
    b"MM\0+": "a TIFF picture",
    b"{\\rtf": "an RTF file",
}
PICTURES = {  # by their endings, what they are
    "png": "a PNG picture",
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif"), "a JPEG picture"),
    "webp": "a WebP picture",
    **dict.fromkeys(("tif", "tiff"), "a TIFF picture"),
    **dict.fromkeys(("heic", "heif"), "a HEIC picture"),
}
HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")  # brands behind `ftyp`
NOISE = "binary data, or of UTF-16 without its mark"
PDF_BEFORE = 1024  # bytes that may stand before a PDF's mark
MAX_NAME = 200  # characters of a name
OFFICE = {"docx", "xlsx", "pptx", "epub"}  # archives; Office's with a password have the form of before 2007
NEWER = {  # endings of files that their programs save otherwise, too
    **dict.fromkeys(("doc", "rtf", "odt", "wps"), "DOCX"),
    **dict.fromkeys(("xls", "xlsb", "ods", "numbers"), "XLSX"),
    **dict.fromkeys(("ppt", "pps", "odp", "key"), "PPTX"),
    **dict.fromkeys(("mobi", "azw", "azw3", "fb2"), "EPUB"),
    "pages": "PDF",
    **dict.fromkeys(("gif", "bmp", "svg", "svgz", "avif", "jp2", "psd", "ico", "tga", "jxl"), "PNG"),
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
    **dict.fromkeys(PICTURES, Kind("picture", unit="page")),
}
UNITS = {kind.name: kind.unit for kind in KINDS.values()}
READABLE = "PDF, DOCX, XLSX, PPTX, EPUB, Markdown, text, CSV, HTML and pictures"


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
    if _fits(kind.name, first, PICTURES.get(ending)):
        return kind
    seen = binary_kind(first) or "text"
    raise DocumentError(f"{name} is no {ending.upper()} file: its first bytes are those of {seen}. Give it its name.")


def _fits(kind: str, first: bytes, picture: str | None) -> bool:
    """Whether a file of a kind may begin so; `picture` is what it has to be, where it has to be one."""
    seen = binary_kind(first)
    if picture is not None:
        return seen == picture
    if kind == "pdf":  # something may stand before its mark, but nothing that is a file of its own
        return PDF in first[: PDF_BEFORE + len(PDF)] and seen in {None, BINARY[PDF], NOISE}
    return first.startswith((ZIP, OLE)) if kind in OFFICE else not seen


def binary_kind(first: bytes) -> str | None:
    """What a file is that is no text; UTF-16 says so with its first two bytes."""
    kind = next((kind for mark, kind in BINARY.items() if first.startswith(mark)), None)
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return "a WebP picture"
    if first[4:8] == b"ftyp" and first[8:12] in HEIC:
        return "a HEIC picture"
    if kind == "a BMP picture" and b"\0" not in first[:64]:  # words may begin so
        return None
    utf16 = first[:2] in {b"\xff\xfe", b"\xfe\xff"}
    return kind or (NOISE if b"\0" in first and not utf16 else None)
