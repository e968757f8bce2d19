"""The ZIP archive that an Office file is: whether it is whole, and how large it would grow. Knows no content."""

import zipfile
from pathlib import Path

from documents.part import Limits, UnreadableFileError

BROKEN = "is damaged or cut short and cannot be read: save it anew, or get it once more."
STYLES = 10_000_000  # bytes of a document's fonts, styles and the like
MARKUP = 5  # characters of XML to each that is read, at most


def read_names(path: Path, limits: Limits) -> set[str]:
    """The names of its members. Raises UnreadableFileError for none, and for one that grows beyond all measure."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(each.file_size for each in archive.infolist() if each.filename.endswith((".xml", ".rels")))
            names = set(archive.namelist())
    except zipfile.BadZipFile as error:
        raise UnreadableFileError(BROKEN) from error
    if size > STYLES + MARKUP * limits.characters:
        raise UnreadableFileError(
            f"would unpack to {size / 1e6:,.0f} MB of markup, too much for what is read. Attach a part of it."
        )
    return names
