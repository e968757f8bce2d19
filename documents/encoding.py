"""The encoding of a text file: what its first bytes or its markup say, else what its bytes tell. Knows no content.

A page of the web and a text are decoded alike. What a file says of itself goes before any guess, and UTF-8 before the
others: hardly any text of another encoding is valid UTF-8 by chance.
"""

import codecs
import re
from itertools import islice
from pathlib import Path

from documents.part import UnreadableFileError

UTF8 = "utf-8"
MARKS = (  # the longer ones first: UTF-32's begins like UTF-16's
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
GUESSED = (
    *("cp866", "koi8-r", "koi8-u", "cp874", "gb18030", "big5", "euc-jp", "cp932", "cp949"),
    *(f"cp{number}" for number in range(1250, 1259)),
    *(f"iso8859-{part}" for part in (2, 5, 6, 7, 8)),
)
DECLARED = (*GUESSED, UTF8, "big5hkscs", "iso2022_jp", "mac-roman", "mac-cyrillic")
DECLARED_ISO = tuple(f"iso8859-{part}" for part in (3, 4, 10, 13, 14, 15, 16))
SUPERSETS = {  # what is written under these names (Encoding Standard): the first holds the second's letters, and more
    "cp1252": ("iso8859-1", "ascii"),
    "cp1254": ("iso8859-9",),
    "cp874": ("tis-620", "iso8859-11"),
    "gb18030": ("gb2312", "gbk"),
    "big5hkscs": ("big5",),
    "cp932": ("shift_jis",),
    "cp949": ("euc_kr",),
}
ALIASES = {
    **{"windows-874": "cp874", "windows-31j": "cp932", "windows-949": "cp949", "unicode-1-1-utf-8": UTF8},
    **{"iso-8859-8-i": "iso8859-8", "iso-8859-8-e": "iso8859-8", "logical": "iso8859-8", "visual": "iso8859-8"},
}
SAMPLE = 100_000  # bytes that a guess is made from
LINE = 2_000  # of one line, at most
DAMAGE = 0.01  # of the letters beyond ASCII may be wrong in a text whose encoding is known


def read_text(path: Path) -> str:
    """The text of a file, each line end as it is there. Raises UnreadableFileError for what `decode` refuses."""
    return decode(path.read_bytes())


def decode(data: bytes, declared: str | None = None) -> str:
    """The text of these bytes, of which markup says that they are encoded as `declared`.

    1. A byte order mark decides. 2. Else what is declared, where the bytes agree. 3. Else UTF-8, where they do.
    4. Else the encoding that letters and their neighbours tell. Raises UnreadableFileError for what is none of these.
    """
    mark, encoding = next((each for each in MARKS if data.startswith(each[0])), (b"", None))
    if encoding is not None:
        return _decode_strictly(data[len(mark) :], encoding, len(mark))
    for known in dict.fromkeys((find_codec(declared or ""), UTF8)):
        if known is not None and (text := _decode_undamaged(data, known)) is not None:
            return text
    guessed = _guess(data)
    return _decode_strictly(data, UTF8) if guessed is None else data.decode(guessed, "replace")


def mark_utf8(data: bytes, charset: str) -> bytes:
    """These bytes as UTF-8 with its mark, where they are text of the encoding that a header names; else as they are."""
    codec = find_codec(charset)
    if codec is None or data.startswith(tuple(mark for mark, _ in MARKS)):
        return data
    text = _decode_undamaged(data, codec)
    return data if text is None else codecs.BOM_UTF8 + text.encode()


def find_codec(label: str) -> str | None:
    """Python's name of the encoding that a page declares; None for one that no page of the web has."""
    name = label.strip().lower()
    try:
        name = codecs.lookup(ALIASES.get(name, name.removeprefix("x-"))).name
    except (LookupError, ValueError):
        return None
    if name.startswith(("utf-16", "utf-32")):
        return UTF8  # that the label could be read shows that it is wrong: one byte was one letter
    name = next((broad for broad, narrow in SUPERSETS.items() if name in map(_normalize, narrow)), name)
    return name if name in map(_normalize, DECLARED + DECLARED_ISO) else None


def _normalize(label: str) -> str:
    return codecs.lookup(label).name


def _decode_strictly(data: bytes, encoding: str, before: int = 0) -> str:
    """Raises UnreadableFileError."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            f"is not UTF-8 (byte {before + error.start:,}): save it so, or convert it with iconv."
        ) from error


def _decode_undamaged(data: bytes, encoding: str) -> str | None:
    """The text; with U+FFFD for a few wrong bytes among many right ones, None where there are more."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
    wrong = text.count("\ufffd")
    return text if wrong <= DAMAGE * sum(letter > "\x7f" for letter in text) else None


def _guess(data: bytes) -> str | None:
    """The encoding of text that is not UTF-8, None where it looks like none."""
    import chardet

    lines = (line for line in data.split(b"\n") if not line.isascii())
    sample = b"\n".join(islice(map(_neighbours, lines), SAMPLE))[:SAMPLE]
    return chardet.detect(sample, include_encodings=GUESSED, max_bytes=SAMPLE)["encoding"]


def _neighbours(line: bytes) -> bytes:
    """The part of a line around its first letter beyond ASCII."""
    first = re.search(rb"[\x80-\xff]", line)
    start = max(0, first.start() - 100) if first else 0
    return line[start : start + LINE]
