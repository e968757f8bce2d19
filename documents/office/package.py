"""An Office file's parts and what leads from one to another (Open Packaging Conventions). Knows no text."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from documents.office.archive import Archive
from documents.part import Limits, UnreadableFileError

KINDS = {  # the root of a main part, and what its file is
    "w:document": ("a", "Word document", "docx"),
    "s:workbook": ("an", "Excel workbook", "xlsx"),
    "p:presentation": ("a", "PowerPoint presentation", "pptx"),
}
USUAL = ("word/document.xml", "xl/workbook.xml", "ppt/presentation.xml")  # main parts by their usual names


@dataclass(frozen=True)
class Relationship:
    """What one part says of another: `kind` is the last word of its type ("footnotes"), `target` a part's name."""

    id: str
    kind: str
    target: str


class Package(Archive):
    """An Office file; `main` is the name of its main part, and `root` that part's XML.

    Raises UnreadableFileError for what holds no main part with the root `wanted`.
    """

    def __init__(self, path: Path, limits: Limits, wanted: str) -> None:
        super().__init__(path, limits)
        self.main = self._find_main(wanted)
        self.root: Element = self.parse(self.main)
        if self.root.tag != wanted:
            raise UnreadableFileError(_mismatch(str(self.root.tag), wanted))

    def _find_main(self, wanted: str) -> str:
        named = [each.target for each in self.relationships("") if each.kind == "officeDocument"]
        found = next((name for name in (*named, *USUAL) if name in self), None)
        if found is None:
            raise UnreadableFileError(_mismatch("", wanted))
        return found

    def relationships(self, part: str) -> Iterator[Relationship]:
        """What leads from a part to others of this file; from the file itself where `part` is empty."""
        folder, name = posixpath.split(part)
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        if path not in self:
            return
        for element in self.parse(path).iter("rel:Relationship"):
            if element.get("TargetMode") != "External":
                target = posixpath.join("/", folder, unquote(element.get("Target", "")).replace("\\", "/"))
                kind = element.get("Type", "").rsplit("/", 1)[-1]
                yield Relationship(element.get("Id", ""), kind, posixpath.normpath(target).lstrip("/"))


def _mismatch(root: str, wanted: str) -> str:
    """What is wrong with a file that holds another kind, or none."""
    article, kind, ending = KINDS[wanted]
    if root not in KINDS:
        return f"is no {kind} inside, though it is named like one. Save it as {ending.upper()}."
    article_inside, inside, right = KINDS[root]
    return (
        f"is {article_inside} {inside} inside, though it is named like {article} {kind}. Give it the ending .{right}."
    )
