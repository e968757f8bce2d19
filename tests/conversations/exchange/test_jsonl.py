"""Lines for training, as training reads them."""

import json
from pathlib import Path
from typing import Any

import pytest

from conversations.exchange import FORMATS
from conversations.exchange.schema import validate_conversation
from tests.conversations.exchange.made import PERSONA, chain, message
from tests.training.conftest import run
from training.sources import dialogues

UP = {"value": 1, "comment": "", "created": 1.0}
DOWN = {**UP, "value": -1}


def talk(*replies: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A conversation of questions, each with the reply of these fields."""
    rows = []
    for at, reply in enumerate(replies):
        rows.append(message(2 * at, 2 * at - 1 if at else None, text=f"question {at}"))
        rows.append(message(2 * at + 1, 2 * at, "assistant", **{"text": f"answer {at}", **reply}))
    return validate_conversation(chain(0) | {"messages": rows} | fields)


def lines(conversation: dict[str, Any], liked: bool = False) -> list[list[str]]:
    """The texts of each line."""
    name = "jsonl-liked" if liked else "jsonl"
    written = b"".join(FORMATS[name].write([conversation])).decode()
    return [[each["content"] for each in json.loads(line)["messages"]] for line in written.splitlines()]


@pytest.mark.parametrize(
    "fields",
    [{"state": "failed"}, {"state": "stopped"}, {"stop_reason": "length"}, {"text": " "}, {"feedback": DOWN}],
    ids=["failed", "stopped", "cut", "empty", "disliked"],
)
def test_a_reply_that_is_not_good_ends_a_dialogue_and_is_in_none(fields: dict[str, Any]) -> None:
    assert lines(talk({}, {}, fields, {})) == [
        ["question 0", "answer 0", "question 1", "answer 1"],
        ["question 3", "answer 3"],
    ]


def test_only_what_has_a_thumb_up_on_whatever_branch() -> None:
    conversation = talk({"feedback": UP}, {"feedback": UP}, {}, {"feedback": UP})
    other = message(8, 2, "assistant", text="another", feedback=UP)
    both = validate_conversation({**conversation, "messages": [*conversation["messages"], other]})
    first = ["question 0", "answer 0", "question 1"]
    assert sorted(lines(both, liked=True)) == [[*first, "another"], [*first, "answer 1"], ["question 3", "answer 3"]]
    assert lines(talk({}, {}), liked=True) == []


def test_training_reads_them_with_their_persona_and_prepares_them(tmp_path: Path) -> None:
    raw = tmp_path / "raw.jsonl"
    talks = [talk({"text": f"I like {n} bees 🐝\nand\tmore"}, {}, persona=PERSONA, title=f"{n}") for n in range(40)]
    raw.write_bytes(b"".join(FORMATS["jsonl"].write(talks)))
    read = list(dialogues.read(raw))
    assert len(read) == 40
    assert read[3].turns == ("question 0", "I like 3 bees 🐝\nand\tmore", "question 1", "answer 1")
    assert read[3].personas == ((), ("I have bees. I am 70.",))
    assert run(raw, tmp_path / "data", "--val", "0.2") == 0
    card = (tmp_path / "data" / "dataset_card.json").read_text()
    assert json.loads(card)["splits"]["train"]["rows"] > 0
