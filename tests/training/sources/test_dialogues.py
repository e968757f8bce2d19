"""Dialogues of one's own, in the forms that people have them in."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from training import heldout, sources
from training.dialogue import Dialogue, messages, sides

TALK = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
SHARED = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
TURNS = {"source": "mine", "turns": ["hi", "hello"]}
PLAIN = ("hi", "hello")


def read(folder: Path, text: str | bytes, name: str = "mine.jsonl") -> list[Dialogue]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [item for item in sources.read("dialogues", path) if isinstance(item, Dialogue)]


def line(row: Any) -> str:
    return json.dumps(row)


@pytest.mark.parametrize(
    "text",
    [
        line(TURNS) + "\n",
        "\ufeff" + line(TURNS),
        "\n\n" + line(TURNS) + "\n \n",
        line(TURNS) + "\r\n\r\n",
        line({"turns": [" hi ", "hello"]}),
        line(TURNS | {"personas": None}),
        line({"messages": TALK}),
        line({"messages": TALK, "weight": 1, "id": 7}),
        line({"conversations": SHARED}),
        line({"conversations": TALK}),
        line({"conversation": TALK}),
        line({"id": "x", "conversations": [{"from": "User", "value": "hi"}, {"from": "Assistant", "value": "hello"}]}),
        line({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}, TALK[1]]}),
        line({"messages": [{"role": "user", "content": "hi", "name": "ada"}, {"role": "model", "content": "hello"}]}),
        line([{"messages": TALK}]),
        "\ufeff\n" + json.dumps([{"conversations": SHARED}], indent=1),
        json.dumps({"messages": TALK}, indent=2),
        '{ "conversations":\n' + line(SHARED) + "}",
        "[\n" + line(TURNS) + "\n]\n",
    ],
)
def test_forms_of_one_dialogue(text: str, tmp_path: Path) -> None:
    [found] = read(tmp_path, text)
    assert (found.turns, found.personas, sides(found)) == (PLAIN, (), (1,))
    assert found.source == ("mine" if "mine" in text else "dialogues")


def test_many_in_each_form(tmp_path: Path) -> None:
    rows = [TURNS, {"messages": TALK}, {"conversations": SHARED}] * 4
    ways = ["\n".join(map(line, rows)), "\n\n".join(map(line, rows)), line(rows), json.dumps(rows, indent=2)]
    for text in ways:
        assert [each.turns for each in read(tmp_path, text)] == [PLAIN] * 12
    assert len(read(tmp_path, gzip.compress(ways[0].encode()), "mine.jsonl.gz")) == 12
    assert len(read(tmp_path, gzip.compress(ways[3].encode()), "mine.json.gz")) == 12


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "system", "content": "You keep bees."}, *TALK]},
        {"messages": [{"role": "developer", "content": "You keep bees."}, *TALK]},
        {"conversations": [{"from": "system", "value": "You keep bees."}, *SHARED]},
        {"system": "You keep bees.", "conversations": SHARED},
    ],
)
def test_a_system_prompt_is_the_assistants_persona(row: dict[str, Any], tmp_path: Path) -> None:
    [found] = read(tmp_path, line(row))
    assert messages(found, 1) == [{"role": "system", "content": "You keep bees."}, *TALK]


def test_who_begins_stays_who_he_is(tmp_path: Path) -> None:
    said = [{"role": "system", "content": "Be kind."}, {"role": "assistant", "content": "Welcome!"}, *TALK]
    [found] = read(tmp_path, line({"messages": said}))
    [assistant] = sides(found)
    assert messages(found, assistant) == said


def test_neighbours_of_one_speaker_are_one_turn(tmp_path: Path) -> None:
    said = [TALK[0], {"role": "user", "content": "there"}, TALK[1], {"role": "assistant", "content": "you"}]
    assert read(tmp_path, line({"messages": said}))[0].turns == ("hi\n\nthere", "hello\n\nyou")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (
            {"text": "once", "id": 4},
            "it has neither turns, messages nor conversations, but 'text', 'id'",
        ),
        ({}, "it has neither turns, messages nor conversations, but nothing"),
        (7, "it is 7, not an object"),
        ("hi", "it is 'hi', not an object"),
        (None, "it is None, not an object"),
        ({"turns": "hi"}, "turns should be a list of texts"),
        ({"turns": ["hi", 7]}, "turns should be a list of texts"),
        ({"turns": ["hi", "\ud800"]}, "turns has half of a surrogate pair"),
        (TURNS | {"personas": [["a"]]}, "1 personas, where two speakers have two or none"),
        (TURNS | {"personas": "a"}, "personas of another type, where"),
        ({"messages": []}, r"messages should be a list with messages \(a list\)"),
        ({"messages": {"a": 1}}, r"messages should be a list with messages \(an object\)"),
        ({"messages": [TALK[0], None]}, r"messages, message 2: should be an object \(null\)"),
        ({"messages": [{"role": "tool", "content": "5"}]}, "messages, message 1: role is 'tool'; known are system, "),
        (
            {"messages": [TALK[0], {"role": "assistant", "content": None}]},
            r"message 2: content should be a text \(null\)",
        ),
        ({"messages": [{"role": "user"}]}, "message 1: has neither role and content nor from and value, but 'role'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, r"content should be a text \(a list\)"),
        ({"messages": [{"role": "system", "content": "alone"}]}, "messages has nothing but a system prompt"),
        ({"conversations": [{"from": "narrator", "value": "x"}]}, "conversations, message 1: from is 'narrator'"),
        ({"conversations": "x"}, r"conversations should be a list with messages \('x'\)"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(row: Any, why: str, tmp_path: Path) -> None:
    for text, number in ((f"{line(TURNS)}\n\n{line(row)}\n", 3), (f"[\n{line(TURNS)},\n{line(row)}]", 3)):
        with pytest.raises(ValueError, match=rf"mine\.jsonl, line {number}: not a dialogue: .*{why}") as caught:
            read(tmp_path, text)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (line(TURNS) + '\n{"turns": ["a"', "line 2: not JSON"),
        (line(TURNS) + "\nhello\n", "line 2: not JSON"),
        ("hello", "line 1: not JSON"),
        ("[\n" + line(TURNS) + ",\n{oops}]", "line 3: not JSON"),
        ("[\n" + line(TURNS) + ",\n", "line 2: the list does not end"),
        (line(TURNS) + "\n" + "[" * 50_000, "line 2: not JSON"),
        ("", "there is nothing in"),
        ("\ufeff\n\n", "there is nothing in"),
        ("[]", "there is nothing in"),
    ],
)
def test_what_is_no_json_is_named_with_its_line(text: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=where):
        read(tmp_path, text)


def test_a_folder_of_lines_leaves_other_json_alone(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"name": "no dialogue"}')
    (tmp_path / "a.jsonl").write_text(line(TURNS))
    assert len(list(sources.read("dialogues", tmp_path))) == 1
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "card.json").write_text(line([TURNS, TURNS]))
    assert len(list(sources.read("dialogues", tmp_path))) == 2


def test_a_list_is_held_out_data(tmp_path: Path) -> None:
    path = tmp_path / "valid.json"
    path.write_text("\ufeff " + line([{"messages": TALK}]))
    assert [each.turns for each in heldout.read_dialogues([str(path)])] == [PLAIN]
