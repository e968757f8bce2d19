"""What is asked: its numbers, that each question can be answered, and that the app's own ways are taken."""

import pytest
from langchain_core.messages import AIMessage

from benchmarks.answers import parts
from chains.passages import DocumentQuestion, insert


@pytest.mark.parametrize(
    ("part", "cases", "turns"),
    [("openings", 24, 1), ("facts", 60, 1), ("given", 40, 1), ("found", 40, 1), ("personas", 20, 5)],
)  # fmt: skip
def test_each_part_has_its_number(part: str, cases: int, turns: int) -> None:
    read = list(parts.PARTS[part](8))
    assert len(read) == cases
    assert {len(case.turns) for case in read} == {turns}
    assert len({(case.system, tuple(turn.message for turn in case.turns)) for case in read}) == cases


def test_no_question_is_its_own_answer() -> None:
    for case in [*parts.facts(), *parts.personas()]:
        for turn in case.turns:
            assert not turn.judge(turn.message), turn.message


def test_a_persona_says_all_that_it_is_asked() -> None:
    for case in parts.personas():
        for turn in case.turns:
            assert turn.judge(case.system), f"{case.system} does not answer {turn.message}"


def test_a_passage_answers_its_question() -> None:
    for case in parts.given():
        (turn,) = case.turns
        assert turn.judge(turn.passages[0].page_content), turn.message


def test_our_search_finds_passages_of_several_files() -> None:
    found = [case.turns[0] for case in parts.found(8)]
    held = sum(turn.judge("\n".join(each.page_content for each in turn.passages)) for turn in found)
    assert held >= 38
    assert len({each.metadata["file"] for turn in found for each in turn.passages}) > 3
    assert all(1 <= len(turn.passages) <= 8 for turn in found)
    assert {len(case.turns[0].passages) for case in parts.found(1)} == {1}


def test_a_conversation_goes_on_with_the_replies_that_came() -> None:
    case = next(parts.personas())
    messages = case.messages(["I am Nobody."])
    assert [message.type for message in messages] == ["system", "human", "ai", "human"]
    assert messages[2] == AIMessage("I am Nobody.")
    assert messages[0].text == case.system


def test_passages_are_written_in_as_the_app_writes_them() -> None:
    case = next(parts.given())
    assert isinstance(case.messages([])[-1], DocumentQuestion)
    system, human = insert(case.messages([]), len, None).messages
    passage = case.turns[0].passages[0].page_content
    assert passage in human.text
    assert passage not in system.text
    assert human.text.endswith("\n\n" + case.turns[0].message)
