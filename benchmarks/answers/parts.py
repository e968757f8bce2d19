"""The parts of the table, read from the files beside this one. Knows their form and our search; no model.

`found` asks the questions of `given`, with what our own search finds for them in a small library: the texts that the
tests of the search ask questions of, and all of `texts.csv` as one more file.
"""

import csv
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from benchmarks.answers.case import Case, Turn
from benchmarks.answers.judge import fits_opening, has_answer
from benchmarks.questions import build_index, passages
from documents import embedding
from documents.part import Part
from documents.search import TOP_K, Index
from documents.split import split_parts
from prompts.system import system_prompt
from settings import ROOT

FOLDER = Path(__file__).parent
LIBRARY = ROOT / "tests" / "documents" / "questions"
NOTES = "notes.txt"


def openings(top: int = TOP_K) -> Iterator[Case]:
    """24 everyday openings. Raises OSError."""
    for row in _lines("openings.jsonl"):
        judge = fits_opening(row["opening"], row["fits"], row["misfits"])
        yield Case("openings", system_prompt(), (Turn(row["opening"], judge),))


def facts(top: int = TOP_K) -> Iterator[Case]:
    """60 short questions about the world. Raises OSError."""
    for row in _rows("facts.csv"):
        yield Case("facts", system_prompt(), (Turn(row["question"], _answer(row)),))


def given(top: int = TOP_K) -> Iterator[Case]:
    """40 questions, each with the one passage that answers it. Raises OSError."""
    for row in _rows("texts.csv"):
        passage = Document(row["passage"], metadata={"file": NOTES})
        yield Case("given", system_prompt(), (Turn(row["question"], _answer(row), (passage,)),))


def found(top: int = TOP_K) -> Iterator[Case]:
    """The same questions, each with the `top` passages that our search finds. Raises OSError."""
    index = library()
    for row in _rows("texts.csv"):
        best = index.search(row["question"], top)
        yield Case("found", system_prompt(), (Turn(row["question"], _answer(row), tuple(best)),))


def personas(top: int = TOP_K) -> Iterator[Case]:
    """20 personas, each asked for name, profession and three facts in one conversation. Raises OSError."""
    for row in _lines("personas.jsonl"):
        turns = tuple(Turn(question, has_answer(accepted)) for question, accepted in row["turns"])
        yield Case("personas", " ".join(row["sentences"]), turns)


PARTS: dict[str, Callable[[int], Iterator[Case]]] = {
    each.__name__: each for each in (openings, facts, given, found, personas)
}


@cache
def library() -> Index:
    """The index over all texts, with vectors where EMBEDDINGS has some. Raises OSError."""
    notes = "\n\n".join(dict.fromkeys(row["passage"] for row in _rows("texts.csv")))
    own = [Document(piece.text, metadata={"file": NOTES}) for piece in split_parts([Part(notes)])]
    embedder = embedding.current_embedder()
    return build_index([*passages(LIBRARY), *own], None if embedder is None else embedder.embed_texts)


def _answer(row: dict[str, str]) -> Callable[[str], bool]:
    return has_answer(row["accepted"].split("/"))


def _rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]
