"""The benchmark of answers: its questions, its rules, and a run at a tiny size; never how many are right."""

import json
from typing import Any

import pytest

from benchmarks import answers
from benchmarks.answers import Question
from tests.conftest import GGUF
from tests.loopback import Loopback


def test_there_are_sixty_questions_and_forty_about_a_passage() -> None:
    questions = answers.read_questions()
    about = [question for question in questions if question.passage]
    assert (len(questions), len(about)) == (100, 40)
    assert len({(question.question, question.passage) for question in questions}) == 100
    for question in about:
        assert question.is_right(question.passage), f"the passage does not answer: {question.question}"
    for question in questions:
        assert not question.is_right(question.question) or question.passage, f"it is its answer: {question.question}"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("It is Paris.", True), ("PARIS", True), ("**Paris**!", True), ("Parisian life", False), ("Rome", False),
     ("There are 7.", True), ("17", False), ("", False), ("seven of them", True)],
)  # fmt: skip
def test_an_answer_counts_as_whole_words(reply: str, expected: bool) -> None:
    assert Question("?", ("Paris", "7", "seven"), "").is_right(reply) == expected


def test_a_question_about_a_passage_is_asked_as_the_app_asks_it() -> None:
    system, human = Question("Who?", ("Voss",), "Built by Hanna Voss.").messages()
    assert "Built by Hanna Voss." in str(human.content)
    assert str(human.content).endswith("\n\nWho?")
    assert "Voss" not in str(system.content)
    assert len(Question("Who?", ("Voss",), "").messages()[0].text) < len(system.text)


def test_a_run(
    capsys: pytest.CaptureFixture[str], loopback: Loopback, fresh_backends: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback.answer = lambda _: "Paris, Hanna Voss, 12 and green"
    options = ["--seeds", "2", "--every", "20", "--json", "--options", "temperature=0", "top_k=5,repeat_last_n=-1"]
    assert answers.main([str(GGUF), "--server", loopback.url, *options]) == 0
    rows: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == [
        "the server's own",
        '{"temperature": 0.0}',
        '{"top_k": 5, "repeat_last_n": -1}',
    ]
    assert all(row["asked"] == [6, 4] for row in rows)
    assert rows[0]["facts"] + rows[0]["passages"] >= 2
    assert {request["seed"] for request in loopback.requests} == {1, 2}
    assert not {"temperature", "top_p"} & set(loopback.requests[0])
    assert rows[1]["spread"] == 0, "without chance each seed says the same"
