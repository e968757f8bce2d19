"""Which passage a sentence quotes where the model named none: the stated rule, case by case."""

import pytest

from documents.alignment import align, cited, mark, used_numbers
from documents.source import Source

STAIRS = "The stairs have 142 steps. Nobody was allowed to run on them."
LAMP = (
    "The lamp was lit an hour before sunset. Ingrid Holm kept the lamp in the winter of 1871, after the keeper had "
    "fallen ill. She trimmed it every three hours."
)
QUESTION = "Who kept the lamp in the winter of 1871?"
SOURCES = tuple(Source("station.pdf", 1, "page 1", text, 1.0, number) for number, text in ((1, STAIRS), (4, LAMP)))
QUOTED = {
    "Ingrid Holm.": [("Ingrid Holm.", 4)],
    "Ingrid Holm kept the lamp in the winter of 1871.": [("1871.", 4)],
    "The keeper had fallen ill. I like ships.": [("ill.", 4)],
    "It has **142 steps**": [("steps**", 1)],
    "Nobody was allowed to run! She trimmed the lamp every three hours.": [("run!", 1), ("hours.", 4)],
    "- the keeper had fallen ill\n- nobody was allowed to run": [("ill", 4), ("run", 1)],
    "He said: “Ingrid Holm kept it.” Then": [("it.”", 4)],
}
NOT_QUOTED = [
    "I do not know who kept the lamp in the winter of 1871.",
    "The files do not say.",
    "The stairs have 143 steps, and nobody was allowed to run.",
    "Ingrid liked ships, bells and long journeys to the south.",
    "# Ingrid Holm kept the lamp\n",
    "```\nIngrid Holm kept the lamp.\n```",
    "| Ingrid Holm kept the lamp | 1871 |",
    "Yes.",
    "",
]


@pytest.mark.parametrize("text", QUOTED)
def test_a_sentence_that_quotes_gets_a_marker_at_its_end(text: str) -> None:
    found = align(text, SOURCES, QUESTION)
    assert [number for _, number in QUOTED[text]] == used_numbers_of(found)
    for marker, (end, _) in zip(found, QUOTED[text], strict=True):
        assert (marker.start, marker.is_ours) == (marker.end, True)
        assert text[: marker.end].endswith(end)


def used_numbers_of(markers: object) -> list[int]:
    """The number of each."""
    return [marker.numbers[0] for marker in markers]  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", NOT_QUOTED)
def test_what_quotes_nothing_gets_none(text: str) -> None:
    assert align(text, SOURCES, QUESTION) == []


def test_one_marker_of_the_model_and_there_are_none_of_ours() -> None:
    text = "Ingrid Holm kept the lamp in the winter of 1871 [4]. Nobody was allowed to run."
    assert used_numbers(mark(text, SOURCES, QUESTION)) == [4]
    assert used_numbers(mark(text.replace("[4]", "[2]"), SOURCES, QUESTION)) == [4, 1]  # 2 was deleted: no marker
    assert mark(text, (), QUESTION) == ()


def test_of_two_passages_the_one_with_more_words_is_quoted() -> None:
    near = Source("other.pdf", 1, None, "Ingrid Holm kept the lamp.", 1.0, 1)
    assert used_numbers(align("Ingrid Holm kept the lamp in the winter of 1871.", [near, SOURCES[1]])) == [4]


def test_cited_numbers_what_stood_in_the_prompt() -> None:
    from langchain_core.documents import Document

    passages = [Document(text, metadata={"file": "a.txt"}) for text in (STAIRS, LAMP)]
    sources, markers = cited("Ingrid Holm did [2].", passages, QUESTION, only_used=True)
    assert ([source.number for source in sources], used_numbers(markers)) == ([2], [2])
    assert [source.number for source in cited("No.", passages, QUESTION)[0]] == [1, 2]
