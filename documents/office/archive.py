"""The ZIP archive that an Office file is: whether it is whole, and how large it would grow. Knows no content."""

import zipfile
from functools import cached_property
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import Element, ParseError, parse

from documents.office.namespace import shorten
from documents.part import BROKEN, PROTECTED, Limits, UnreadableFileError

STYLES = 10_000_000  # bytes of a document's fonts, styles and the like
MARKUP = 5  # characters of XML to each that is read, at most
MARKED_UP = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx")
OLE = b"\xd0\xcf\x11\xe0"
STREAMS = {  # of an OLE file, by what it is
    "EncryptedPackage": PROTECTED,
    "WordDocument": "is a Word file of before 2007 inside: save it as DOCX.",
    "Workbook": "is an Excel file of before 2007 inside: save it as XLSX.",
    "PowerPoint Document": "is a PowerPoint file of before 2007 inside: save it as PPTX.",
}


class Archive:
    """The members of an archive by their names, whose letters count alike whether small or large.

    Raises UnreadableFileError for what is none, and for one that grows beyond all measure.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise UnreadableFileError(_ole_problem(path.read_bytes()) or BROKEN) from error
        members = self._zip.infolist()
        size = sum(each.file_size for each in members if each.filename.lower().endswith(MARKED_UP))
        if size > STYLES + MARKUP * limits.characters:
            raise UnreadableFileError(
                f"would unpack to {size / 1e6:,.0f} MB of markup, too much for what is read. Attach a part of it."
            )

    @cached_property
    def _members(self) -> dict[str, str]:
        return {name.replace("\\", "/").strip("/").lower(): name for name in self._zip.namelist()}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._members

    @property
    def names(self) -> list[str]:
        """The names of all members, in small letters."""
        return list(self._members)

    def open(self, name: str) -> IO[bytes]:
        """A member to be read. Raises UnreadableFileError where there is none."""
        try:
            return self._zip.open(self._members[name.lower()])
        except KeyError as error:
            raise UnreadableFileError(BROKEN) from error

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises UnreadableFileError where there is none."""
        with self.open(name) as member:
            return member.read()

    def parse(self, name: str) -> Element:
        """The root of a member's XML, its names shortened. Raises UnreadableFileError where it is none."""
        try:
            with self.open(name) as member:
                root = parse(member).getroot()
        except (ParseError, zipfile.BadZipFile) as error:
            raise UnreadableFileError(BROKEN) from error
        for element in root.iter():
            element.tag = shorten(element.tag)
            if element.attrib:
                element.attrib = {shorten(key): value for key, value in element.attrib.items()}
        return root


def _ole_problem(data: bytes) -> str | None:
    """What an OLE file holds instead of an archive; None where it is none, or unknown."""
    if not data.startswith(OLE):
        return None
    return next((problem for stream, problem in STREAMS.items() if stream.encode("utf-16-le") in data), None)
