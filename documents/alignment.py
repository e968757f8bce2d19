"""Which passage a sentence of a reply quotes, where the model names none: by the words of both. Knows texts only.

The rule: of the terms of a sentence (stems, without function words) at least three, and at least three quarters, stand
in the passage, or at least two and all of them in a row; every number of the sentence is among them, and one term at
least is not the question's. Of several passages the one with the most terms is quoted, of equal ones the first.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from langchain_core.documents import Document

from documents.marker import Marker, find_markers, mask_code
from documents.source import Source, sources_of
from documents.terms import stems

LEAST_TERMS, LEAST_SHARE = 3, 0.75
LEAST_IN_A_ROW = 2
SENTENCE = re.compile(
    r"""[^\n\0]+?(?:[.!?…]+[*_)\]"'”’»]*(?=\s|$)|[。！？]+[」』）]*|(?=\n|\0|$))""",  # a line's end ends one as well
)
NO_SENTENCE = re.compile(r"\s*(?:[#|]|$)")  # headings and rows of tables are nobody's claims
BRACKETED = re.compile(r"\[\d+\]")  # a marker that leads nowhere is no number of the sentence
CACHED = 256  # replies: those of a page are drawn anew with each press


@lru_cache(CACHED)
def mark(text: str, sources: tuple[Source, ...], question: str = "") -> tuple[Marker, ...]:
    """The markers of a reply that has ended: those that its model wrote, and where it wrote none, ours."""
    return tuple(written_markers(text, sources) or align(text, sources, question))


def written_markers(text: str, sources: Sequence[Source]) -> list[Marker]:
    """The markers in a reply, whole or growing, that name one of these sources."""
    there = {source.number for source in sources}
    markers = []
    for marker in find_markers(text, max(there, default=0)):
        known = tuple(number for number in marker.numbers if number in there)
        gone = tuple(number for number in marker.numbers if number not in there)
        if known:
            markers.append(Marker(marker.start, marker.end, known, marker.unknown + gone))
    return markers


def used_numbers(markers: Sequence[Marker]) -> list[int]:
    """The numbers of the sources that a reply names, in the order in which it does."""
    return list(dict.fromkeys(number for marker in markers for number in marker.numbers))


def align(text: str, sources: Sequence[Source], question: str = "") -> list[Marker]:
    """A marker of ours behind each sentence that quotes a source."""
    if not sources:
        return []
    asked, terms = set(stems(question)), [_terms(source.quote) for source in sources]
    markers = []
    for end, sentence in _sentences(text):
        at = _best(stems(BRACKETED.sub(" ", sentence)), terms, asked)
        if at is not None:
            markers.append(Marker(end, end, (sources[at].number,), is_ours=True))
    return markers


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """The sentences of the prose of a text, each with the place where it ends."""
    for match in SENTENCE.finditer(mask_code(text)):
        sentence = match[0].rstrip()
        if not NO_SENTENCE.match(sentence):
            yield match.start() + len(sentence), sentence


def _best(words: list[str], passages: Sequence[tuple[str, frozenset[str]]], asked: set[str]) -> int | None:
    """The place of the passage that a sentence quotes; None where it quotes none."""
    said = set(words)
    numbers = {word for word in said if word.isdecimal()}
    row, best, most = f" {' '.join(words)} ", None, 0
    for at, (order, terms) in enumerate(passages):
        shared = said & terms
        if len(shared) <= most or not numbers <= shared or not shared - asked:
            continue
        is_close = len(shared) >= LEAST_TERMS and len(shared) >= LEAST_SHARE * len(said)
        if is_close or (len(said) >= LEAST_IN_A_ROW and row in order):
            best, most = at, len(shared)
    return best


@lru_cache(4096)
def _terms(text: str) -> tuple[str, frozenset[str]]:
    """The terms of a passage in a row, and as a set."""
    words = stems(text)
    return f" {' '.join(words)} ", frozenset(words)


def cited(
    text: str, passages: Sequence[Document], question: str, *, only_used: bool = False
) -> tuple[list[Source], tuple[Marker, ...]]:
    """The sources of a reply that has ended, by their numbers in its prompt, and its markers.

    `only_used`: without those that it does not name, as where a whole file stood in the prompt.
    """
    sources = sources_of(passages)
    markers = mark(text, tuple(sources), question)
    used = set(used_numbers(markers))
    return [source for source in sources if not only_used or source.number in used], markers
