"""Small talk with a persona: the same for a seed, whole, distinct, and true to the persona."""

import random
import re
from pathlib import Path

import pytest

from training import acquaintance
from training.acquaintance import Fact, draw, fill, grammar
from training.dialogue import Dialogue, messages

FACTS = grammar().facts.values()


@pytest.fixture(scope="module")
def dialogues() -> list[Dialogue]:
    rng = random.Random(5)
    return [draw(rng) for _ in range(2000)]


def test_an_equal_seed_gives_equal_dialogues() -> None:
    first, second = (random.Random(3), random.Random(3))
    assert [draw(first) for _ in range(50)] == [draw(second) for _ in range(50)]


def test_dialogues_are_distinct(dialogues: list[Dialogue]) -> None:
    assert len({(d.turns, d.personas) for d in dialogues}) == len(dialogues)
    assert len({d.personas for d in dialogues}) == len(dialogues)


def test_whole_exchanges_and_a_persona_for_the_assistant(dialogues: list[Dialogue]) -> None:
    for dialogue in dialogues:
        assert len(dialogue.turns) in {4, 6, 8, 10, 12, 14}
        user, assistant = dialogue.personas
        assert user == ()
        assert 3 <= len(assistant) <= 6
        view = messages(dialogue, assistant=1)
        assert [m["role"] for m in view] == ["system"] + ["user", "assistant"] * (len(dialogue.turns) // 2)


def test_no_slot_is_left_open(dialogues: list[Dialogue]) -> None:
    for dialogue in dialogues:
        for text in (*dialogue.turns, *dialogue.personas[1]):
            assert text == text.strip() != ""
            assert not re.search(r"[{}|*@]", text)


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.name)
def test_every_wording_has_values(fact: Fact) -> None:
    own = dict.fromkeys(fact.slots, "apple")
    others = {f"{slot}*": "pear" for slot in fact.slots}
    for key, wordings in fact.lines.items():
        for wording in wordings:
            assert fill(wording, own if key in "PUANFE" else others if key in "SMQBH-o" else {**own, **others})


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.name)
def test_answers_name_the_value_that_the_persona_states(fact: Fact) -> None:
    stated = [set(_slots(wording)) for wording in fact.lines["P"]]
    assert len(stated) >= 3
    for key in "AEy":
        for wording in fact.lines.get(key, ()):
            assert _slots(wording)
            assert all(set(_slots(wording)) <= slots for slots in stated)


@pytest.mark.parametrize("fact", FACTS, ids=lambda f: f.name)
def test_an_unstated_fact_is_not_made_up(fact: Fact) -> None:
    for key in "NoH-":
        assert not any(_slots(wording) for wording in fact.lines.get(key, ()))


def test_a_question_about_a_stated_fact_is_answered_from_the_persona(dialogues: list[Dialogue]) -> None:
    questions = {_bare(wording) for wording in grammar().facts["job"].lines["U"]}
    asked = 0
    for dialogue in dialogues:
        job = re.search(r"i(?: work as|'m| am) an? ([a-z ]+)\.", " ".join(dialogue.personas[1]).lower())
        for question, answer in zip(dialogue.turns[::2], dialogue.turns[1::2], strict=True):
            if job and job[1] in grammar().values["job"] and _bare(question) in questions:
                asked += 1
                assert job[1] in answer
    assert asked > 20


def test_the_user_is_remembered(dialogues: list[Dialogue]) -> None:
    remembered = 0
    for dialogue in dialogues:
        for i, turn in enumerate(dialogue.turns):
            if found := re.fullmatch(r"You told me your name is ([A-Z][a-z]+)\.", turn):
                remembered += 1
                assert found[1].lower() in " ".join(dialogue.turns[:i:2]).lower()
    assert remembered > 3


def test_lists_are_long() -> None:
    least = {"name": 100, "job": 90, "food": 80, "hobby": 60, "city": 60, "country": 60, "pet": 40, "petname": 50}
    values = grammar().values
    assert {slot: len(values[slot]) for slot in least if len(values[slot]) < least[slot]} == {}
    assert all(value == value.strip() != "" for listed in values.values() for value in listed)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("@name Rosa, Ben\n[name]\nP: I am {name}.\nwhat is this\n")
    with pytest.raises(ValueError, match=r"talk.txt, line 4: 'what is this'"):
        acquaintance.grammar(path)


def _slots(wording: str) -> list[str]:
    """The persona's own slots in a wording."""
    return [m[1].lower() for m in acquaintance.SLOT.findall(wording) if not m[2]]


def _bare(question: str) -> str:
    """Without what people leave out when they type."""
    return question.lower().replace("'", "").rstrip(".?!")
