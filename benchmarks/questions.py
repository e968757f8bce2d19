"""How often the right passage is found: questions in people's words over texts whose answers are marked by a phrase.

Reads a folder with texts and `questions.csv` (question, file, phrase). Knows the search; no store and no model.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.documents import Document

from documents.part import Part
from documents.search import EmbeddedPassages, Index, Vectors
from documents.split import OVERLAP, PASSAGE_LENGTH, split_parts

Embed = Callable[[Sequence[str]], Vectors]  # texts to unit vectors, a row each


@dataclass(frozen=True)
class Question:
    """The passage that answers it is of `file` and holds `phrase`."""

    question: str
    file: str
    phrase: str


def read_questions(folder: Path) -> list[Question]:
    """The rows of `questions.csv`. Raises OSError."""
    with (folder / "questions.csv").open(encoding="utf-8", newline="") as file:
        return [Question(**row) for row in csv.DictReader(file)]


def passages(folder: Path, length: int = PASSAGE_LENGTH, overlap: int = OVERLAP) -> list[Document]:
    """The passages of all texts of the folder, in the order of their names."""
    return [
        Document(piece.text, metadata={"file": path.name, "page": None})
        for path in sorted(folder.glob("*.txt"))
        for piece in split_parts([Part(path.read_text(encoding="utf-8"))], length, overlap)
    ]


def build_index(documents: Sequence[Document], embed: Embed | None = None) -> Index:
    """An index of words alone, or with vectors beside them."""
    if embed is None:
        return Index(documents)
    vectors = embed([each.page_content for each in documents])
    return Index(documents, EmbeddedPassages(vectors, lambda question: [float(x) for x in embed([question])[0]]))


def rank(question: Question, documents: Iterable[Document]) -> int | None:
    """Where the first passage stands that answers it, from 1."""
    held = ((each.metadata["file"], " ".join(each.page_content.split())) for each in documents)
    return next(
        (at for at, (file, text) in enumerate(held, 1) if file == question.file and question.phrase in text), None
    )


def ranks(questions: Sequence[Question], within: Index) -> list[int | None]:
    """The rank of each question's passage among all."""
    return [rank(each, within.search(each.question, 50)) for each in questions]


def hits(positions: Sequence[int | None], top: int) -> int:
    """How many are among the first `top`."""
    return sum(1 for each in positions if each is not None and each <= top)
