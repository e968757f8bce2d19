"""A model's whole life on a few dialogues: prepare, train, export, served by both local backends."""

from pathlib import Path
from typing import Any

import pytest
import torch
from langchain_core.exceptions import ContextOverflowError
from transformers import GPT2LMHeadModel

import backends
from settings import Settings
from tests.training import tiny
from training import export, train


def served(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Exported, and named to both backends."""
    assert export.main([str(source), str(target)]) == 0
    monkeypatch.setenv("GPT2_MODEL", str(target))
    monkeypatch.setenv("LLAMACPP_MODEL", str(target / "model-f16.gguf"))
    return target


def test_what_is_trained_and_exported_answers_alike_on_both_backends(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    options = ["--config", "tiny", "--steps", "80", "--rate", "0.004", "--batch", "4", "--precision", "fp32"]
    assert train.main(["--data", str(prepared), "--out", str(tmp_path / "trained"), *options]) == 0
    served(tmp_path / "trained", tmp_path / "served", monkeypatch)
    replies = [
        backends.load(name, Settings.read()).invoke("do you like dogs?", temperature=0, max_tokens=20, seed=0).text
        for name in backends.LOCAL
    ]
    assert replies[0] == replies[1]
    assert replies[0].strip()


def test_a_window_that_is_no_multiple_of_256(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_backends: None
) -> None:
    """llama.cpp rounds its window up, beyond the positions that the model has."""
    served(tiny.save(tmp_path / "model", positions=300), tmp_path / "served", monkeypatch)
    model = backends.load("llamacpp", Settings.read())
    text = "do you like "
    while len(model.get_token_ids(text)) < 285:
        text += "dogs "
    reply: Any = model.invoke(text, raw=True, max_tokens=500, temperature=2.0, top_k=0, top_p=1.0)
    assert 285 < reply.usage_metadata["total_tokens"] <= 300
    with pytest.raises(ContextOverflowError, match="holds 300"):
        model.invoke(text + text, raw=True)


def test_what_is_exported_is_what_was_trained(prepared: Path, tmp_path: Path) -> None:
    options = ["--config", "tiny", "--steps", "4", "--batch", "4", "--precision", "fp32"]
    assert train.main(["--data", str(prepared), "--out", str(tmp_path / "trained"), *options]) == 0
    assert export.main([str(tmp_path / "trained"), str(tmp_path / "served"), "--format", "safetensors:fp32"]) == 0
    before, after = (GPT2LMHeadModel.from_pretrained(tmp_path / n).state_dict() for n in ("trained", "served"))
    assert all(torch.equal(before[name], after[name]) for name in before)
