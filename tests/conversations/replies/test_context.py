"""What a model hears of a branch, and how many of its messages it does not."""

from typing import Any

import pytest

from conversations.replies.context import BranchContext, to_messages, up_to_question
from conversations.store.schema import Message, State

HISTORY = [
    Message(role="user", text="one"), Message(role="assistant", text="first"),
    Message(role="user", text="lost"), Message(role="assistant", text="half", state=State.FAILED),
    Message(role="system", text="imported"),
    Message(role="user", text="two"), Message(role="assistant", text="cut", state=State.STOPPED),
    Message(role="user", text="three"), Message(role="assistant", text=""),
]  # fmt: skip


def before(partial: str = "") -> BranchContext:
    return BranchContext(None, HISTORY, Message(role="user", text="four"), partial)


def test_questions_with_some_answer_are_heard() -> None:
    assert [m.content for m in to_messages(HISTORY)] == ["one", "first", "two", "cut"]
    assert [m.type for m in to_messages(HISTORY)] == ["human", "ai", "human", "ai"]
    assert to_messages([]) == []


HIDDEN = {"hidden": True}


@pytest.mark.parametrize(
    ("branch", "heard"),
    [
        ([("user", "one", None), ("assistant", "note", HIDDEN), ("assistant", "first", None)], ["one", "first"]),
        ([("user", "secret", HIDDEN), ("assistant", "first", None)], ["first"]),
        ([("user", "one", {"hidden": "no"}), ("assistant", "first", {"hidden": False})], ["one", "first"]),
        ([("user", "one", None), ("assistant", "", HIDDEN), ("user", "two", None)], ["one", "two"]),
    ],
)
def test_hidden_messages_are_not_heard(branch: list[tuple[str, str, Any]], heard: list[str]) -> None:
    messages = [Message(role=role, text=text, extra=extra) for role, text, extra in branch]
    assert [m.content for m in to_messages(messages)] == heard


@pytest.mark.parametrize(
    ("branch", "question"),
    [
        ([("user", "one", None), ("tool", "5", None)], "one"),
        ([("user", "one", None), ("user", "secret", HIDDEN)], "one"),
        ([("user", "one", None), ("assistant", "a", None), ("user", "two", None), ("system", "s", HIDDEN)], "two"),
        ([("tool", "5", None)], "5"),
    ],
)
def test_the_question_is_what_a_person_wrote_last(branch: list[tuple[str, str, Any]], question: str) -> None:
    messages = [Message(role=role, text=text, extra=extra) for role, text, extra in branch]
    assert up_to_question(messages)[-1].text == question


@pytest.mark.parametrize(("after", "first"), [(0, "one"), (1, "two"), (2, "two"), (6, None), (9, None)])
def test_no_prompt_begins_with_the_answer_to_a_question_before_it(after: int, first: str | None) -> None:
    history = before().inputs(after)["history"]
    assert (history[0].content if history else None) == first


@pytest.mark.parametrize(
    ("after", "unseen"), [(0, [0, 1, 5, 6, 9]), (1, [2, 6, 9]), (5, [5, 6, 9]), (6, [7, 9]), (9, [9, 9])]
)
def test_what_is_out_of_sight_is_counted_from_the_first_message(after: int, unseen: list[int]) -> None:
    """One more than the prompt has messages, since all but the question may be dropped."""
    assert before().hidden_counts(after) == unseen
    assert len(unseen) > len(before().inputs(after)["history"])


def test_what_was_said_already_comes_last() -> None:
    assert before().inputs()["partial"] == []
    assert [m.content for m in before("so far").inputs()["partial"]] == ["so far"]
