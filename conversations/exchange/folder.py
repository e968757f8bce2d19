"""A project of another program, in our form, with the conversations of its file that are in it.

Knows our form; no foreign one and no table.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from conversations.exchange.schema import DocumentSchema
from conversations.store.projects import MAX_NAME, MAX_SYSTEM
from conversations.store.text import clean
from documents.kind import KINDS, UNITS

TEXT = "text"  # the kind of a document whose words alone are there
INSTRUCTIONS = "instructions.md"  # of those that are too long for a system prompt

Lose = Callable[[str], object]  # notes what is not kept


@dataclass
class Folder:
    """`project` is in our form; `members` are the ids of its conversations, as they stand in the file."""

    project: dict[str, Any]
    members: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it, and nothing holds in it."""
        return not (self.members or self.project["system"] or self.project["documents"])


def make_folder(
    name: str, lose: Lose, system: str = "", documents: Mapping[str, str] | None = None, created: float | None = None
) -> Folder:
    """A project with these texts as its documents, by their names; `lose` is told what of them is not kept."""
    begun = time.time() if created is None else created
    told, texts = clean(system).strip(), dict(documents or {})
    if len(told) > MAX_SYSTEM:
        texts = {INSTRUCTIONS: told, **texts}
        lose(f"instructions of projects beyond {MAX_SYSTEM:,} characters, which stand in a document of theirs")
    found = [_document(each, text, begun) for each, text in texts.items()]
    kept = [each for each in found if each is not None]
    for _ in range(len(found) - len(kept)):
        lose("documents of projects that hold no words")
    line = " ".join(clean(name).split())[:MAX_NAME].strip() or "unnamed"
    return Folder(
        {
            "name": line,
            "created": begun,
            "system": told[:MAX_SYSTEM].strip() or None,
            "persona": None,
            "documents": kept,
        }
    )


def _document(name: str, text: str, created: float) -> dict[str, Any] | None:
    """A document of these words; None of none."""
    kind = KINDS.get(PurePosixPath(name).suffix.lower().removeprefix("."))
    fields = {
        "name": name,
        "kind": kind.name if kind is not None and UNITS[kind.name] is None else TEXT,
        "bytes": len(text.encode("utf-8", "replace")),
        "created": created,
        "pages": [text],
    }
    try:
        return DocumentSchema.model_validate(fields).model_dump()
    except ValidationError:
        return None
