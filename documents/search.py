"""Search over passages: BM25, and beside it the nearness of vectors where there are some, fused by reciprocal rank.

Knows texts and numbers; nothing of files, tables or models.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from numpy.typing import NDArray
from pydantic import ConfigDict

from documents.community import bm25
from documents.terms import asks_for_overview, named_page, question_stems, stems

TOP_K = 8  # passages that a question is given, as far as the model's window holds them
RRF_K = 60  # of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)
MAX_RANK = 50  # ranks of each list that count there
MIN_COSINE = 0.2  # cosine up to which two texts have nothing in common
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class EmbeddedPassages:
    """Unit vectors of all passages, a row each (zeros where one has none), and what makes one of a question.

    `min_cosine`: up to which two texts have nothing in common; `weight`: how much a rank counts, by words 1.
    """

    vectors: Vectors
    embed_question: Callable[[str], Sequence[float]]
    min_cosine: float = MIN_COSINE
    weight: float = 1.0

    @cached_property
    def is_there(self) -> NDArray[np.bool_]:
        """Which passages have a vector."""
        return np.asarray(self.vectors.any(axis=1))


class Index:
    """Passages ready to be searched."""

    def __init__(self, passages: Sequence[Document], embedded: EmbeddedPassages | None = None) -> None:
        self.passages, self._embedded = list(passages), embedded
        self._scores: Callable[[str], Any] | None = None
        if any(stems(passage.page_content) for passage in self.passages):  # rank_bm25 divides by their number
            self._scores = bm25([passage.page_content for passage in self.passages], stems, question_stems)

    def with_vectors(self, embedded: EmbeddedPassages | None) -> "Index":
        """The same passages with these vectors; what was counted of their words is shared."""
        other = copy(self)
        other._embedded = embedded
        return other

    def search(self, question: str, top_k: int = TOP_K) -> list[Document]:
        """The best passages, best first, with `score` in their metadata; none without a word or a sense in common.

        A question for the whole gets the beginning, and one that names a page gets that page first.
        """
        if asks_for_overview(question):
            return [self._with_score(at, 0.0) for at in range(min(top_k, len(self.passages)))]
        by_words, by_vectors = self._rank_by_words(question), self._rank_by_vectors(question)
        ranked = by_words or by_vectors
        if by_words and by_vectors and self._embedded is not None:
            # What has no vector yet would else stand behind all that have one: its words count for both.
            without = [each for each in by_words if not self._embedded.is_there[each[0]]]
            weight = self._embedded.weight
            ranked = fuse_rankings([by_words, by_vectors, without], [1.0, weight, weight])
        on_page = self._rank_by_page(question)
        ranked = on_page + [each for each in ranked if each[0] not in dict(on_page)]
        return [self._with_score(at, score) for at, score in ranked[:top_k]]

    def _with_score(self, at: int, score: float) -> Document:
        passage = self.passages[at]
        return passage.model_copy(update={"metadata": {**passage.metadata, "score": round(float(score), 4)}})

    def _rank_by_words(self, question: str) -> list[tuple[int, float]]:
        if self._scores is None or not question_stems(question):
            return []
        return _best(self._scores(question), 0.0)

    def _rank_by_page(self, question: str) -> list[tuple[int, float]]:
        number = named_page(question)
        return [(at, 0.0) for at, each in enumerate(self.passages) if number and each.metadata.get("page") == number]

    def _rank_by_vectors(self, question: str) -> list[tuple[int, float]]:
        if self._embedded is None or not question_stems(question):  # "How are you?" is near to any text
            return []
        vector = normalize([self._embedded.embed_question(question)])[0]
        return _best(self._embedded.vectors @ vector, self._embedded.min_cosine)


def _best(scores: Any, above: float) -> list[tuple[int, float]]:
    """Places and scores, the best first; equal ones in the order of the text."""
    order = np.argsort(-np.asarray(scores), kind="stable")[:MAX_RANK]
    return [(int(at), float(scores[at])) for at in order if scores[at] > above]


def fuse_rankings(
    lists: Sequence[Sequence[tuple[int, float]]], weights: Sequence[float] | None = None
) -> list[tuple[int, float]]:
    """Places by the sum of weight/(K + rank) over the lists; of equal ones, that of the earlier list first."""
    total: dict[int, float] = {}
    for ranking, weight in zip(lists, weights or [1.0] * len(lists), strict=True):
        for rank, (at, _) in enumerate(ranking, 1):
            total[at] = total.get(at, 0.0) + weight / (RRF_K + rank)
    return sorted(total.items(), key=lambda item: -item[1])


def normalize(vectors: Sequence[Sequence[float]] | Vectors) -> Vectors:
    """Of length 1, in float32; zeros stay zeros."""
    rows = np.asarray(vectors, dtype=np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit_rows: Vectors = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return unit_rows


class PassageRetriever(BaseRetriever):
    """The index as LangChain's retriever, for the chain."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: Index
    top_k: int = TOP_K

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return self.index.search(query, self.top_k)
