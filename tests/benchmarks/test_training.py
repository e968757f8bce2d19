"""The training benchmark at a tiny size: its report and its padding; never its speed."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from benchmarks import training
from benchmarks.rounds import DEVICE, Runner
from tests.training.conftest import WORDS, write
from training import hardware, recipe
from training.branches import Collator
from training.model import GPT2LMHeadModel
from training.packing import Row

SMALL = ["--config", "tiny", "--rounds", "2", "--steps", "1", "--batch", "4", "--max-length", "96"]
PACKED = f"packed {hardware.choose_precision('auto')[0]}"


def dialogues(path: Path) -> Path:
    """144 that differ in words alone, each of them a token."""
    pairs = [(first, second) for first in WORDS for second in WORDS]
    rows = [{"source": "chat", "turns": [f"do you like {a}?", f"yes, and {b} too"]} for a, b in pairs]
    return write(path, rows)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What --json prints."""
    data = dialogues(tmp_path_factory.mktemp("benchmark") / "mine.jsonl")
    with redirect_stdout(io.StringIO()) as out:
        assert training.main([*SMALL, "--data", str(data), "--json"]) == 0
    return json.loads(out.getvalue())


def test_it_reports_each_way_to_train(report: Any) -> None:
    ways = report["recipes"]
    assert {"padded fp32", "packed fp32", PACKED} <= set(ways)
    for way in ways.values():
        assert len(way["rounds"]) == 2
        assert min(way["rounds"]) <= way["tokens_per_second"] <= max(way["rounds"])
    assert len(report["ratios"]) == 2
    assert report["ratio"] == pytest.approx(sum(report["ratios"]) / 2, abs=0.02)
    first = ways[PACKED]["rounds"][0] / ways["padded fp32"]["rounds"][0]
    assert report["ratios"][0] == pytest.approx(first, rel=0.02)


def test_packed_rows_have_less_padding(report: Any) -> None:
    padding = {name: way["padding"] for name, way in report["recipes"].items()}
    assert 0 <= padding["packed fp32"] < padding["padded fp32"] / 2


def test_padding_is_what_is_no_token() -> None:
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=16, n_embd=8, n_layer=1, n_head=1)).to(
        DEVICE
    )
    rows = [{"input_ids": [5, 6, 7]}, {"input_ids": [8]}]
    adamw = torch.optim.AdamW(model.parameters())
    before = model.lm_head.weight.detach().clone()
    way = Runner(iter([rows, rows]), lambda batch: training.pad_rows(batch, 8, 9), model, adamw, "fp32")
    way.measure(2)
    assert way.report()["padding"] == 0.75  # 4 tokens in 2 rows of 8, twice
    assert not torch.equal(model.lm_head.weight, before)  # it did learn


def test_packed_padding_is_what_fills_up_to_32() -> None:
    plan = recipe.resolve({"config": "tiny"})
    model = GPT2LMHeadModel(transformers.GPT2Config(vocab_size=16, n_embd=8, n_layer=1, n_head=1)).to(DEVICE)
    rows = [row(40), row(24)]
    way = Runner(iter([rows]), Collator(0, plan.learn), model, torch.optim.AdamW(model.parameters()), "bf16")
    way.measure(1)
    assert way.report()["padding"] == 0.5  # 64 tokens in 2 rows of 64


def row(length: int) -> Row:
    """A packed row of two dialogues of half the length."""
    ids = [1 + i % 15 for i in range(length)]
    positions = [i % (length // 2) for i in range(length)]
    return {"input_ids": ids, "labels": ids, "position_ids": positions, "length": length, "source": "chat"}


def test_padded_rows_are_masked_where_they_are_padded() -> None:
    rows = [{"input_ids": [5, 6, 7]}, {"input_ids": [8]}]
    batch = training.pad_rows(rows, 4, 9)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 9], [8, 9, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    assert batch["labels"].tolist() == [[5, 6, 7, -100], [8, -100, -100, -100]]
    assert batch["tokens"].tolist() == [3, 1]


def test_a_packed_row_comes_apart_into_its_dialogues() -> None:
    row = {"input_ids": [5, 6, 7, 8, 9], "position_ids": [0, 1, 0, 1, 2]}
    assert [one["input_ids"] for one in training.split_row(row)] == [[5, 6], [7, 8, 9]]


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, said in (
        (["--max-length", "1024"], "--config tiny has 256 positions"),
        (["--rounds", "0"], "--rounds 0: 1 or more"),
        (["--data", str(tmp_path / "none.jsonl")], "none.jsonl does not exist"),
    ):
        assert training.main([*SMALL, *options]) == 2
        assert said in capsys.readouterr().err.splitlines()[-1]
