"""Words, passages, ranks."""

import threading

import numpy as np
import pytest
from langchain_core.documents import Document

from documents.part import Part, number_parts
from documents.search import EmbeddedPassages, Index, PassageRetriever, fuse_rankings, normalize
from documents.split import PAGE_BREAK, PASSAGE_LENGTH, join_parts, split_parts
from documents.terms import asks_for_overview, named_page, question_stems, stems

TEXTS = ["The ferry leaves at nine.", "Bring a warm coat.", "The ferry costs four crowns."]


def index(*texts: str, embedded: EmbeddedPassages | None = None) -> Index:
    return Index([Document(text, metadata={"page": at}) for at, text in enumerate(texts, 1)], embedded)


def found(within: Index, question: str) -> list[str]:
    return [each.page_content for each in within.search(question)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is Tom’s ferries' cost?", ["tom", "ferri", "cost"]),
        ("running RUNS run_run", ["run", "run", "run", "run"]),
        ("", []),
        ("... --", []),
        ("x" * 64, ["x" * 64]),
        ("3.5 km", ["3", "5", "km"]),
        ("1,234.5 and 10 000", ["1", "234", "5", "1234", "10", "000", "10000"]),
        ("日本語", ["日本", "本語", "日*", "本*", "語*"]),
        ("東", ["東"]),
        ("ไทย", ["ไท", "ทย"]),
        ("Grüße", ["gruss"]),
        ("thé, the", ["the"]),
        ("light-\n  house", ["light", "hous", "lighthous"]),
        ("“well-known” l'été", ["well", "known", "wellknown", "ete", "lete"]),
        ("C++, C# and .NET.", ["c++", "c", "c#", "c", ".net", "net"]),
        ("U.S.A. file_name AB-12/5", ["u", "s", "usa", "file", "name", "ab", "12", "ab12", "5"]),
        ("word--word 🎉", ["word", "word", "🎉"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert stems(text) == expected


def test_a_letter_alone_is_asked_for_in_every_run() -> None:
    assert question_stems("灯") == ["灯", "灯*"]
    assert question_stems("灯塔") == ["灯塔", "灯塔", "灯", "塔"]
    texts = ("灯塔的光", "一盏 灯 亮", "塔")
    assert set(found(index(*texts), "灯")) == set(texts[:2])
    assert found(index(*texts), "灯塔")[0] == texts[0]
    assert found(index("灯光", "光"), "塔灯") == []  # no letter of a longer word is one of its own


def test_words_are_the_same_in_many_threads() -> None:
    """The stemmer holds the word that it works on."""
    text = " ".join(f"running{n} flies{n} happily{n} nationality{n}" for n in range(2000))
    got: list[list[str]] = []
    threads = [threading.Thread(target=lambda: got.append(stems(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    assert all(each == got[0] for each in got)
    assert got[0] == [stem for part in text.split() for stem in stems(part)]


@pytest.mark.parametrize(
    ("question", "whole", "number"),
    [
        ("Summarize this document", True, None),
        ("What is it about?", True, None),
        ("main points please", True, None),
        ("Who is Ishmael?", False, None),
        ("What stands on page 7?", False, 7),
        ("Slide 3?", False, 3),
        ("", False, None),
        ("?", False, None),
    ],
)
def test_questions_for_a_whole_and_for_a_page(question: str, whole: bool, number: int | None) -> None:
    assert (asks_for_overview(question), named_page(question)) == (whole, number)


@pytest.mark.parametrize(
    "pages", [["a " * 2000, "", "b\n\n" * 900, "c"], ["x" * 5000], ["\n\n\n"], ["Grüße 日本 " * 300]]
)
def test_passages_are_the_text_from_where_to_where(pages: list[str]) -> None:
    parts = number_parts(pages, "page")
    text = join_parts(parts)
    begins = [sum(len(each) + len(PAGE_BREAK) for each in pages[:at]) for at in range(len(pages))]
    for piece in split_parts(parts):
        assert piece.text == text[piece.start : piece.end]
        assert 0 < len(piece.text) <= PASSAGE_LENGTH
        assert piece.page is not None
        at = piece.page - 1
        assert begins[at] <= piece.start <= piece.end <= begins[at] + len(pages[at])
        assert piece.place == f"page {piece.page}"


def test_nothing_of_a_text_is_left_out() -> None:
    page = " ".join(f"word{n}" for n in range(3000))
    held = {word for piece in split_parts([Part(page)]) for word in piece.text.split()}
    assert held == set(page.split())


def test_the_best_passage_is_first_and_others_are_not_there() -> None:
    within = index(*TEXTS)
    assert found(within, "What does the ferry cost?") == [TEXTS[2], TEXTS[0]]
    assert found(within, "a submarine") == []
    scores = [each.metadata["score"] for each in within.search("ferry cost")]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


def test_a_word_of_every_passage_still_finds_them() -> None:
    assert found(index("tea one", "tea two"), "tea") == ["tea one", "tea two"]
    assert found(index("tea"), "tea") == ["tea"]


def test_a_page_that_is_named_comes_first() -> None:
    assert found(index(*TEXTS), "Does the ferry stand on page 2?")[0] == TEXTS[1]
    assert found(index(*TEXTS), "Page 99?") == []


def test_a_question_for_the_whole_gets_the_beginning() -> None:
    assert found(index(*TEXTS), "Summarize the document") == TEXTS


@pytest.mark.parametrize("question", ["", "?", "the", "\0", "\ud800", "x" * 100_000, "{input} %s {{"])
def test_any_question_may_be_asked(question: str) -> None:
    assert found(index(*TEXTS), question) == []
    assert found(index(), question) == []
    assert found(index("...", "the"), question) == []


def test_vectors_stand_beside_words() -> None:
    rows = normalize([[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    near = EmbeddedPassages(rows, lambda question: [0.0, 2.0, 0.1])
    assert found(index(*TEXTS, embedded=near), "something to wear") == [TEXTS[1]]
    assert set(found(index(*TEXTS, embedded=near), "ferry")) == set(TEXTS)


def test_fusion_adds_what_each_list_says() -> None:
    assert [at for at, _ in fuse_rankings([[(5, 9.0), (6, 8.0)], [(6, 0.9), (7, 0.8)]])] == [6, 5, 7]
    assert np.allclose(np.linalg.norm(normalize([[3, 4], [0, 0]]), axis=1), [1, 0])


def test_the_retriever_gives_the_same() -> None:
    within = index(*TEXTS)
    assert PassageRetriever(index=within, top_k=1).invoke("ferry cost") == within.search("ferry cost", 1)
