"""A model's life on a few dialogues: prepare, train, stop, go on, export, serve."""

import gzip
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.exceptions import ContextOverflowError
from transformers import AutoTokenizer

import backends
from settings import Settings
from training import dialogue, export, prepare, tokenizer, train
from training.dialogue import Dialogue, Mix


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


ROWS = [
    {"source": "self-dialogue", "turns": [f"do you like number {i}?", f"yes, {i} is nice", "why?", "it is round"]}
    for i in range(60)
] + [
    {"source": "synthetic-persona-chat", "turns": ["hi", "hello!"], "personas": [["I sing."], ["I have a dog."]]}
    for _ in range(5)
]  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("life")
    raw = [write(folder / name, rows) for name, rows in (("train.jsonl.gz", ROWS), ("valid.jsonl", ROWS[:30]))]
    options = ["--vocab-size", "500", "--positions", "128", "--passes", "2", "--smalltalk", "2"]
    assert prepare.main(["--train", str(raw[0]), "--valid", str(raw[1]), "--out", str(folder / "data"), *options]) == 0
    return folder / "data"


RECIPE = train.Recipe(layers=2, width=64, heads=2, positions=128, length=64, batch_tokens=512, long_every=3)


def test_prepared_rows_are_dialogues_with_their_template(prepared: Path) -> None:
    made = AutoTokenizer.from_pretrained(prepared / "tokenizer")
    text = made.decode(np.load(prepared / "valid.npy")[:200].tolist())
    assert "<|user|>do you like number" in text
    assert "<|assistant|>" in text
    assert "<|end|><|endoftext|>" in text
    report = json.loads((prepared / "prepare.json").read_text())
    assert report["tokens"]["pass-0"] == len(np.load(prepared / "pass-0.npy"))


def test_training_lowers_the_loss_and_goes_on_from_a_checkpoint(prepared: Path, tmp_path: Path) -> None:
    recipe = train.Recipe(**{**vars(RECIPE), "minutes": 60.0, "warmup": 0.0})
    run = train.Run(prepared, tmp_path, recipe)
    for _ in range(30):
        run.step()
    run.keep()
    row = json.loads((tmp_path / "log.jsonl").read_text())
    assert row["valid"] < math.log(500) - 0.5
    again = train.Run(prepared, tmp_path, recipe)
    assert (again.stream.step, again.stream.position, again.spent) == (30, run.stream.position, run.spent)
    for one in (run, again):
        one.step()
    assert again.losses[-1] == pytest.approx(run.losses[-1], rel=1e-4)


def test_the_budget_ends_the_training(prepared: Path, tmp_path: Path) -> None:
    train.train(prepared, tmp_path, train.Recipe(**{**vars(RECIPE), "minutes": 0.01}))
    row = json.loads((tmp_path / "log.jsonl").read_text())
    assert row["minutes"] >= 0.01
    assert (tmp_path / "model.safetensors").exists()


def test_what_is_exported_answers_alike_on_both_backends(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    """An untrained model is enough: only equality is asked. Larger weights keep its choices apart."""
    made = AutoTokenizer.from_pretrained(prepared / "tokenizer")
    model = train.build(RECIPE, made)
    for weight in model.parameters():
        weight.data.mul_(4)
    train.finish(model, made, tmp_path / "trained")
    target = tmp_path / "served"
    assert export.main([str(tmp_path / "trained"), str(target)]) == 0
    assert export.main([str(tmp_path / "trained"), str(target)]) == 0
    assert not target.with_name("served.part").exists()
    monkeypatch.setenv("GPT2_MODEL", str(target))
    monkeypatch.setenv("LLAMACPP_MODEL", str(target / "model-f16.gguf"))
    replies = [
        backends.load(name, Settings.read()).invoke("hi", temperature=0, max_tokens=20, seed=0).text
        for name in backends.LOCAL
    ]
    assert replies[0] == replies[1]


def test_a_window_that_is_no_multiple_of_256(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    """llama.cpp rounds its window up, beyond the positions that the model has."""
    made = AutoTokenizer.from_pretrained(prepared / "tokenizer")
    train.finish(train.build(train.Recipe(**{**vars(RECIPE), "positions": 300}), made), made, tmp_path / "trained")
    assert export.main([str(tmp_path / "trained"), str(tmp_path / "served")]) == 0
    monkeypatch.setenv("LLAMACPP_MODEL", str(tmp_path / "served" / "model-f16.gguf"))
    model = backends.load("llamacpp", Settings.read())
    text = "do you like "
    while len(model.get_token_ids(text)) < 290:
        text += "number "
    reply: Any = model.invoke(text, raw=True, max_tokens=500, temperature=2.0, top_k=0, top_p=1.0)
    assert 290 < reply.usage_metadata["total_tokens"] <= 300
    with pytest.raises(ContextOverflowError, match="holds 300"):
        model.invoke(text + text, raw=True)


def test_export_overwrites_nothing_but_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert export.main([str(tmp_path / "x"), str(tmp_path / "mine")]) == 2
    assert export.main([str(tmp_path / "mine"), str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine" / "thesis.txt").exists()
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(
    ("line", "said"), [("{", "line 2"), ('{"turns": ["a", "b"]}', "source"), ('{"source": "x", "turns": 3}', "line 2")]
)
def test_a_bad_line_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, said: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + line + "\n")
    code = prepare.main(["--train", str(path), "--valid", str(path), "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert code == 2
    assert str(path) in error
    assert said in error
    assert not (tmp_path / "out").exists()


def test_missing_data_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["--train", "none.jsonl", "--valid", "none.jsonl", "--out", str(tmp_path)]) == 2
    assert train.main(["--data", str(tmp_path), "--out", str(tmp_path / "m")]) == 2
    assert export.main([str(tmp_path / "none"), str(tmp_path / "m2")]) == 2
    assert not (tmp_path / "m2").exists()
    assert len(capsys.readouterr().err.strip().splitlines()) >= 3


def test_unusable_turns_end_a_dialogue() -> None:
    def cleaned(*turns: str) -> Dialogue | None:
        return dialogue.clean(Dialogue("x", turns), longest=20)

    assert cleaned("hi", "hello", "", "more") == Dialogue("x", ("hi", "hello"))
    assert cleaned("hi", "I am [User 1's name]", "ok") is None
    assert cleaned("hi", "y" * 21) is None


def test_a_persona_is_the_system_prompt_of_whoever_is_the_assistant() -> None:
    both = (("I sing.",), ("I have a dog.",))
    for seed in range(20):
        view = dialogue.messages(Dialogue("synthetic-persona-chat", ("hi", "hello"), both), "S", random.Random(seed))
        first_speaks = view[1]["role"] == "assistant"
        assert view[0] == {"role": "system", "content": "I sing." if first_speaks else "I have a dog."}


def test_weights_show_a_source_more_or_less_often() -> None:
    dialogues = [Dialogue("a", ("x", "y"))] * 100 + [Dialogue("b", ("x", "y"))] * 100
    shown = dialogue.one_pass(dialogues, Mix(weights={"a": 2.0, "b": 0.5}), random.Random(1))
    counts = {name: sum(d.source == name for d in shown) for name in "ab"}
    assert counts["a"] == 200
    assert 30 < counts["b"] < 70


def test_text_in_training_never_becomes_a_special_token(prepared: Path) -> None:
    made = AutoTokenizer.from_pretrained(prepared / "tokenizer")
    ids = tokenizer.encode(made, [{"role": "user", "content": "<|end|>"}])
    assert ids.count(made.convert_tokens_to_ids("<|end|>")) == 1
