"""Prepared data: what is in a row, what is held out, and what bad input gets."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from settings import ROOT
from tests.training.conftest import dialogue, run, write
from training import prepare, store
from training.packing import IGNORED


def texts(folder: Path, split: str) -> list[str]:
    """Every packed dialogue of a split as text."""
    made = AutoTokenizer.from_pretrained(folder / "tokenizer")
    whole = "".join(made.decode(row["input_ids"]) for row in store.load(folder, split))
    return [text for text in whole.split("<|endoftext|>") if text]


def test_no_dialogue_is_in_both_splits(prepared: Path) -> None:
    def spoken(split: str) -> set[str]:
        return {
            text.partition("do you like")[2].replace("<|user|>", "<|assistant|>") for text in texts(prepared, split)
        }

    assert len(spoken("train")) > 200
    assert len(spoken("val")) > 15
    assert not spoken("train") & spoken("val")


def test_in_human_dialogue_each_speaker_is_the_assistant_once(prepared: Path) -> None:
    every = texts(prepared, "train") + texts(prepared, "val")
    human = [t for t in every if "like cats?" in t and "music are" in t]  # number 49 + 144 n
    assert sum("<|assistant|>do you like" in t for t in human) == sum("<|user|>do you like" in t for t in human) > 0
    other = [t for t in every if "like dogs?" in t]  # even numbers: the first speaker is a user
    assert other
    assert not any("<|assistant|>do you like" in t for t in other)


def test_labels_are_the_assistants_tokens_alone(prepared: Path) -> None:
    made = AutoTokenizer.from_pretrained(prepared / "tokenizer")
    start, end, user = made.convert_tokens_to_ids(["<|assistant|>", "<|end|>", "<|user|>"])
    for row in store.load(prepared, "train").select(range(40)):
        speaking = False
        for token, label in zip(row["input_ids"], row["labels"], strict=True):
            assert label == (token if speaking else IGNORED)
            speaking = token == start or (speaking and token != end)
        assert user in row["input_ids"]


def test_the_persona_of_the_assistant_is_the_system_prompt(prepared: Path) -> None:
    for text in texts(prepared, "train"):
        if "I love" in text or "I have" in text:
            assistant_answers = "<|user|>do you like" in text
            assert text.startswith("<|system|>I love" if assistant_answers else "<|system|>I have"), text


def test_rows_are_full_and_hold_whole_dialogues(prepared: Path) -> None:
    rows = store.load(prepared, "train")
    assert all(len(row["input_ids"]) == row["length"] <= 96 for row in rows)
    assert sum(rows["length"]) / (96 * len(rows)) > 0.6
    for row in rows:
        starts = [i for i, p in enumerate(row["position_ids"]) if p == 0]
        ends = [*(s - 1 for s in starts[1:]), row["length"] - 1]
        assert {row["input_ids"][e] for e in ends} == {0}, "a dialogue ends with end-of-text"


def test_crossing_fills_every_row_when_asked(prepared: Path, tmp_path: Path) -> None:
    raw = write(tmp_path / "raw.jsonl", [dialogue(i) for i in range(200)])
    assert run(raw, tmp_path / "data", "--cross") == 0
    rows = store.load(tmp_path / "data", "train")
    lengths = sorted(rows["length"])
    assert lengths[2] == 96  # only each source's last row may be shorter
    assert all(row["position_ids"] == list(range(row["length"])) for row in rows)


def test_a_long_dialogue_is_cut_at_turns_under_its_system_prompt(tmp_path: Path) -> None:
    long = {"source": "chat", "turns": [f"turn {i} about {i * 7}" for i in range(40)], "personas": [[], ["I sing."]]}
    raw = write(tmp_path / "raw.jsonl", [{**long, "turns": [f"{i}", *long["turns"]]} for i in range(60)])
    assert run(raw, tmp_path / "data", "--max-length", "100", "--val", "0.2") == 0
    every = texts(tmp_path / "data", "train")
    made = AutoTokenizer.from_pretrained(tmp_path / "data" / "tokenizer")
    rows = store.load(tmp_path / "data", "train")
    assert every
    for row in rows:
        text = made.decode(row["input_ids"])
        assert text.startswith("<|system|>I sing.<|end|><|")


def test_choices_are_twenty_replies_with_the_true_one_last(prepared: Path) -> None:
    made = AutoTokenizer.from_pretrained(prepared / "tokenizer")
    for row in store.load(prepared, "choices/train").select(range(50)):
        assert row["prompt"][-1] == made.convert_tokens_to_ids("<|assistant|>")
        replies = [made.decode(r) for r in row["replies"]]
        assert len(set(replies)) == len(replies) == 20
        asked = made.decode(row["prompt"]).rpartition("<|user|>")[2]
        topic = asked.partition("do you like ")[2].partition("?")[0]
        assert not topic or f"yes, {topic} and" in replies[-1]


def test_candidates_of_the_source_are_kept(tmp_path: Path) -> None:
    others = [f"distractor number {i}" for i in range(19)]
    said = [{"history": [f"hello {n}"], "candidates": [*others, "hi!"]} for n in range(40)]
    sessions = [{"personality": ["i sing."], "utterances": [one]} for one in said]
    path = tmp_path / "personachat_self_original.json"
    path.write_text(json.dumps({"train": sessions, "valid": []}))
    options = ["--source", "personachat", "--raw", str(path), "--out", str(tmp_path / "data"), "--vocab-size", "300"]
    assert prepare.main([*options, "--val", "0.2"]) == 0
    made = AutoTokenizer.from_pretrained(tmp_path / "data" / "tokenizer")
    row = store.load(tmp_path / "data", "choices/train")[0]
    assert {made.decode(r) for r in row["replies"]} == {f"{r}<|end|>" for r in [*others, "hi!"]}


def test_the_card_counts_what_was_written(prepared: Path) -> None:
    card = json.loads((prepared / "dataset_card.json").read_text())
    rows = store.load(prepared, "train")
    assert card["splits"]["train"]["rows"] == len(rows)
    assert card["splits"]["train"]["tokens"] == sum(rows["length"])
    assert card["cleaning"]["chat"]["kept"] == 150
    assert card["sources"][0]["licence"] == "the owner's"
    assert len(card["sources"][0]["sha256"]) == 64
    assert any(name.startswith("train") for name in card["files"])
    assert (prepared / "lengths.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_command_writes_the_same(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw.jsonl", [dialogue(i) for i in range(120)])
    cards = []
    for name in ("one", "two"):
        assert run(raw, tmp_path / name, "--weight", "chat=0.5") == 0
        cards.append(json.loads((tmp_path / name / "dataset_card.json").read_text()))
        cards[-1].pop("files")
    assert cards[0] == cards[1]
    assert list(store.load(tmp_path / "one", "train")) == list(store.load(tmp_path / "two", "train"))


def test_weights_show_a_source_more_or_less_often(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw.jsonl", [dialogue(i) for i in range(400)])
    assert run(raw, tmp_path / "data", "--weight", "chat=2", "--weight", "self-dialogue=0.25", "--val", "0.05") == 0
    every = texts(tmp_path / "data", "train")
    human, other = (sum(f"like {word}?" in t for t in every) for word in ("cats", "dogs"))
    assert 0.05 < human / (2 * other) < 0.25  # two views at a quarter, against one view twice


def test_held_out_dialogues_of_their_own(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw.jsonl", [dialogue(i) for i in range(100)])
    held = write(tmp_path / "held.jsonl", [dialogue(i) for i in range(90, 130)])
    assert run(raw, tmp_path / "data", "--held-out", str(held)) == 0
    card = json.loads((tmp_path / "data" / "dataset_card.json").read_text())
    assert sum(c["dropped: duplicate"] for c in card["cleaning"].values()) == 10, "held out wins over trained on"


def test_personas_are_drawn_when_asked(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw.jsonl", [dialogue(i) for i in range(60)])
    assert run(raw, tmp_path / "data", "--personas", str(tmp_path / "personas")) == 0
    assert len(list((tmp_path / "personas").glob("*.txt"))) > 10


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--source", "dialogues", "--raw", "none.jsonl"], "none.jsonl does not exist"),
        (["--source", "dialogues", "--raw", "bad.jsonl"], "bad.jsonl, line 2"),
        (["--source", "dialogues", "--raw", "empty.jsonl"], "there is nothing in empty.jsonl"),
        (["--source", "dialogues", "--raw", "short.jsonl"], "nothing usable"),
        (["--source", "dialogues"], "--raw dialogues=PATH"),
        (["--source", "novels"], "no source is called 'novels'"),
        (["--source", "dialogues:often", "--raw", "good.jsonl"], "often"),
        (["--source", "dialogues", "--source", "smalltalk", "--raw", "good.jsonl"], "--raw NAME=PATH"),
        (["--source", "smalltalk", "--raw", "cornell=x"], "no such --source"),
        (["--source", "dialogues", "--raw", "good.jsonl", "--tokenizer", "nowhere"], "nowhere"),
        (["--source", "dialogues", "--raw", "good.jsonl", "--max-length", "4"], "--max-length 4"),
        (["--source", "dialogues", "--raw", "good.jsonl", "--val", "1.5"], "--val 1.5"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    rows = [dialogue(i) for i in range(60)]
    write(tmp_path / "good.jsonl", rows)
    write(tmp_path / "short.jsonl", [{"source": "x", "turns": ["alone"]}])
    (tmp_path / "bad.jsonl").write_text(json.dumps(rows[0]) + "\n{\n")
    (tmp_path / "empty.jsonl").write_text("")
    assert prepare.main([*options, "--out", "out"]) == 2
    error = [line for line in capfd.readouterr().err.splitlines() if line.startswith("prepare:")]
    assert len(error) == 1
    assert said in error[0]
    assert not list(tmp_path.glob("out*"))


def test_an_unknown_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        prepare.main(["--source", "smalltalk", "--out", "x", "--fast"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw.jsonl", [dialogue(i) for i in range(60)])
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    assert run(raw, tmp_path / "thesis") == 2
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    """Ten times the text may take some 60 bytes a dialogue more, for finding duplicates, and no more."""

    def started(number: int) -> "subprocess.Popen[str]":
        spoken = [[f"question {i} {WORD * 9}", f"answer {i} {WORD * 9}"] for i in range(number)]
        lines: list[dict[str, Any]] = [{"source": "chat", "turns": turns} for turns in spoken]
        raw = write(tmp_path / f"{number}.jsonl", lines)
        code = ("import resource, sys; from training import prepare; code = prepare.main(sys.argv[1:]);"
                "print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")  # fmt: skip
        options = ["--source", "dialogues", "--raw", str(raw), "--out", str(tmp_path / f"out{number}"), "--choices",
                   "0", "--tokenizer", str(ROOT / "models" / "default")]  # fmt: skip
        command, pipe = [sys.executable, "-c", code, *options], subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    def peak(process: "subprocess.Popen[str]") -> int:
        out, err = process.communicate()
        status, kilobytes = out.splitlines()[-1].split()
        assert status == "0", err
        return int(kilobytes)

    small, large = map(peak, [started(600), started(6000)])
    assert large - small < 60_000  # 30 MB of text more, and its token ids, three times that


WORD = " the quick brown fox jumps over the lazy dog and sleeps"
