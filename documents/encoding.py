"""The encoding of a text file, told by its bytes. Knows bytes; nothing of what stands in them."""

from pathlib import Path

from documents.part import UnreadableFileError

UTF8 = "utf-8-sig"


def read_text(path: Path) -> str:
    """The text of a file, each line end as it is there. Raises UnreadableFileError for what `decode` refuses."""
    return decode(path.read_bytes())


def decode(data: bytes) -> str:
    """The text of these bytes. Raises UnreadableFileError for what is neither UTF-8 nor UTF-16 with its mark."""
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else UTF8
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            f"is not UTF-8 (byte {error.start:,}): save it so, or convert it with iconv."
        ) from error
