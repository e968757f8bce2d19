"""Documents in one piece: their passages in the order of the text, none repeating the end of the one before.

Knows passages and where they begin and end; nothing of windows.
"""

from collections.abc import Sequence
from itertools import zip_longest

from langchain_core.documents import Document


def sections(passages: Sequence[Document]) -> list[Document]:
    """The whole texts of documents, a section for each passage; `passages` stand in the order of the texts."""
    return [_cut(passage, after) for passage, after in zip_longest(passages, passages[1:])]


def _cut(passage: Document, after: Document | None) -> Document:
    """A passage up to where the next one of its document begins."""
    here, there = passage.metadata, {} if after is None else after.metadata
    metadata = {"score": 0.0, **here}
    if there.get("document") != here.get("document") or there["start"] >= here["end"]:
        return passage.model_copy(update={"metadata": metadata})
    text = passage.page_content[: there["start"] - here["start"]]
    return passage.model_copy(update={"page_content": text, "metadata": metadata})
