"""Questions about passages: generated ones, ones by rule from real sentences, and what of the benchmark they hold."""

import csv
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from prompts.passages import quote_passages
from prompts.template import render
from training import acquaintance, prepare, reading, sources, store, tokenizer
from training.dialogue import Reading
from training.sources import smalltalk

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "benchmarks" / "answers"
CITED = re.compile(r" ?\[(\d)\]")


@pytest.fixture(scope="module")
def readings() -> list[Reading]:
    return [item for item in sources.read("reading", None) if isinstance(item, Reading)]


def normalized(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def test_answers_quote_the_passage_whose_number_they_give(readings: list[Reading]) -> None:
    """Numbers and names of an answer stand in that passage; in the others they mostly do not."""
    checked = 0
    for item in readings[:800]:
        for _, answer in item.questions:
            found = CITED.findall(answer)
            if answer == reading.UNANSWERED:
                assert not found
                continue
            (number,) = found
            passage = item.passages[int(number) - 1][1]
            said = CITED.sub("", answer)
            values = re.findall(r"\d[\d,.:]*\d|\d|(?<=[a-z] )[A-Z][a-z]+", said)
            assert all(value in passage for value in values), (answer, passage)
            checked += len(values)
    assert checked > 1500


def test_the_right_passage_stands_at_any_rank_and_some_questions_have_none(readings: list[Reading]) -> None:
    ranks: Counter[int] = Counter()
    unanswered = total = 0
    for item in readings:
        numbers = {int(n) for _, answer in item.questions for n in CITED.findall(answer)}
        ranks.update(numbers)
        unanswered += sum(answer == reading.UNANSWERED for _, answer in item.questions)
        total += len(item.questions)
    assert set(ranks) == set(range(1, 9))
    assert {len(item.passages) for item in readings} == set(range(1, 9))
    assert 0.04 < unanswered / total < 0.08
    assert len({item.key for item in readings}) == len(readings)


def test_every_slot_has_a_value_and_every_kind_its_questions() -> None:
    rng = random.Random(3)
    for kind in reading.kinds():
        assert kind.texts, kind.name
        assert len(kind.questions) >= 4, kind.name
        assert kind.unanswered, kind.name
        for _ in range(20):
            paper = reading.draw_paper(rng, kind)
            assert not re.search(r"\{\w+\}", paper.text), paper.text
            for asked, answers in kind.questions:
                assert "{" not in reading.pick(rng, asked, paper) + reading.pick(rng, answers, paper)


def benchmark_texts() -> Iterator[str]:
    """Every question, passage and persona that the models are judged by."""
    for path in ANSWERS.glob("*.csv"):
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            yield from filter(None, (row["question"], row.get("passage")))
    for path in ANSWERS.glob("personas.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield " ".join(json.loads(line)["sentences"])


def test_nothing_of_the_benchmark_is_in_what_is_generated(readings: list[Reading]) -> None:
    """Neither its questions, nor its passages or personas, nor any sentence of them with a proper name."""
    held = {normalized(text) for text in benchmark_texts()}
    assert len(held) > 120
    names = {
        name for text in benchmark_texts() for name in re.findall(r"(?<=[a-z] )[A-Z][a-z]{3,} [A-Z][a-z]{3,}", text)
    }
    rng = random.Random(1)
    drawn = [acquaintance.draw(rng) for _ in range(2000)]
    passages = [text for item in readings for _, text in item.passages]
    generated = {normalized(text) for item in readings for pair in item.questions for text in pair}
    generated |= {normalized(text) for text in passages}
    generated |= {normalized(turn) for item in smalltalk.read(None) for turn in item.turns}
    generated |= {normalized(" ".join(item.personas[1])) for item in drawn}
    assert not held & generated
    assert not [name for name in names for text in passages if name in text]


def test_rules_ask_about_real_sentences_and_quote_them(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(
        "The bridge of Tarn was drawn by Elise Moret. In 1911 a flood took two of its arches.\n\n"
        "Otto Lindner was a clerk in the mill. He kept three hens behind the office and sold their eggs.\n\n"
        '"I never saw it," said Mr. Brown. They went home without another word.\n' * 1,
        encoding="utf-8",
    )
    found = [item for item in sources.read("quotation", text) if isinstance(item, Reading)]
    answered = {q.lower().rstrip("?"): a for item in found for q, a in item.questions if a != reading.UNANSWERED}
    assert answered
    for item in found:
        for _, answer in item.questions:
            if answer != reading.UNANSWERED:
                assert CITED.sub("", answer).rstrip(".") in item.passages[int(CITED.findall(answer)[0]) - 1][1]
    assert not any("brown" in question for question in answered)
    with pytest.raises(ValueError, match="name your file"):
        list(sources.read("quotation", None))


def test_a_prompt_with_passages_is_trained_as_the_app_writes_it(tmp_path: Path) -> None:
    """Each question's tokens are those of a chat of its own, and the passages are there once."""
    bpe = tokenizer.train(["some words to split", "Between the lines stand passages"], 300, 2048)
    item = next(item for item in sources.read("reading", None) if isinstance(item, Reading) and len(item.questions) > 2)
    encoded = tokenizer.encode_reading(bpe, item, "Be kind.")
    assert encoded.positions is not None
    quoted = quote_passages("", item.passages)
    for question, answer in item.questions:
        chat = [
            {"role": "system", "content": f"Be kind.\n\n{quoted.rules}"},
            {"role": "user", "content": quoted.question + question},
            {"role": "assistant", "content": answer},
        ]
        text = "".join(
            piece.text for piece in render(bpe.chat_template, chat, tokenizer.SPECIALS, reply=False).segments
        )
        assert text in [bpe.decode(ids).removesuffix(tokenizer.END_OF_TEXT) for ids in unfolded(encoded)]
    assert bpe.decode(encoded.ids).count(item.passages[0][1]) == 1
    learnt = bpe.decode([i for i, own in zip(encoded.ids, encoded.learnt, strict=True) if own])
    assert learnt == "".join(f"{answer}{tokenizer.END_OF_TURN}" for _, answer in item.questions)


def unfolded(encoded: tokenizer.Encoded) -> Iterator[list[int]]:
    """The chats of a reading, each with what all of them begin with."""
    positions = encoded.positions or []
    starts = [i for i in range(1, len(positions)) if positions[i] != positions[i - 1] + 1]
    shared = positions[starts[0]] if starts else len(positions)
    for start, end in zip([shared, *starts], [*starts, len(positions)], strict=True):
        yield encoded.ids[:shared] + encoded.ids[start:end]


def test_prepared_rows_hold_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.sources.reading.NUMBER", 60)
    options = ["--source", "reading", "--vocab-size", "600", "--max-length", "1500", "--val", "0.1"]
    assert prepare.main([*options, "--out", str(tmp_path / "data")]) == 0
    rows = store.load(tmp_path / "data", "train")
    jumps = [
        b for row in rows for a, b in zip(row["position_ids"], row["position_ids"][1:], strict=False) if b != a + 1
    ]
    assert len([b for b in jumps if b]) > 60
