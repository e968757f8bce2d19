"""The comparison itself, on files and models that differ in one thing."""

import copy
import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.formats import POSITIONS, network, words
from training.formats import FORMATS, Trained, parse_formats
from training.formats.check import STEPS, BrokenError, Reference, check, is_tie, total_nats
from training.formats.samples import CHATS, build_samples
from training.formats.source import TorchReader

F16 = FORMATS["gguf:f16"]


@pytest.fixture(scope="module")
def compared() -> Reference:
    return Reference(Trained(network(), words()), build_samples(words(), POSITIONS, STEPS))


def test_the_source_itself_passes_and_is_told_with_figures(compared: Reference) -> None:
    said = check(FORMATS["safetensors:fp32"], TorchReader(network(), words()), compared)
    assert "(+0.00%)" in said or "(-0.00%)" in said
    assert f"greedy tokens equal ({len(CHATS)} prompts x {STEPS})" in said


@pytest.mark.parametrize(
    "tensor", ["transformer.h.1.mlp.c_fc.weight", "transformer.wpe.weight", "transformer.ln_f.bias"]
)
def test_one_wrong_tensor_is_found(compared: Reference, tensor: str) -> None:
    model = network()
    weight = model.get_parameter(tensor).data
    weight.copy_(weight.flip(0))
    with pytest.raises(BrokenError, match=r"perplexity|greedy"):
        check(F16, TorchReader(model, words()), compared)


def test_a_swap_that_leaves_perplexity_alone_is_found_by_the_choices(compared: Reference) -> None:
    """Two tokens that no passage has change places."""
    used = {token for ids in (*compared.samples.passages, *compared.samples.prompts) for token in ids}
    path = compared.fp16.greedy(compared.samples.prompts[0], STEPS)[len(compared.samples.prompts[0]) :]
    one = next(token for token in path if token not in used)
    other = next(token for token in range(len(words())) if token not in used and token not in path)
    model = network()
    embedding = model.transformer.wte.weight.data
    embedding[[one, other]] = embedding[[other, one]].clone()
    with pytest.raises(BrokenError, match=rf"greedy tokens: prompt 1, token \d+ is {other}, {one} in the source"):
        check(F16, TorchReader(model, words()), compared)


def test_numbers_that_are_none_are_found(compared: Reference) -> None:
    model = network()
    model.transformer.ln_f.weight.data[0] = torch.inf
    with pytest.raises(BrokenError, match="are no numbers"):
        check(F16, TorchReader(model, words()), compared)


def test_another_template_is_found(compared: Reference) -> None:
    other = copy.deepcopy(words())
    other.chat_template = "{{ messages }}"
    with pytest.raises(BrokenError, match=r"chat template: the file has '\{\{ messages \}\}'"):
        check(F16, TorchReader(network(), other), compared)


def test_other_tokens_are_found(compared: Reference) -> None:
    other = copy.deepcopy(words())
    other.add_tokens(["garden"])
    with pytest.raises(BrokenError, match=r"tokens: .* in the source"):
        check(F16, TorchReader(network(), other), compared)


def test_only_a_tie_may_be_chosen_otherwise() -> None:
    wanted = np.zeros(100, np.float32)
    wanted[:50] = -10.0
    wanted[[60, 70, 80]] = 3.0, 2.99, 2.0

    def preferring(token: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        return np.where(np.arange(100) == token, np.float32(9), wanted)

    assert not is_tie(preferring(60), wanted, "here")
    assert is_tie(preferring(70), wanted, "here")
    with pytest.raises(BrokenError, match=r"here is 80, 60 in the source, whose logits for the two are 1 apart"):
        is_tie(preferring(80), wanted, "here")


def test_surprise_is_the_cross_entropy() -> None:
    ids = [3, 1, 4, 1, 5]
    logits = torch.randn(5, 9, generator=torch.Generator().manual_seed(1)) * 30
    wanted = torch.nn.functional.cross_entropy(logits[:-1].double(), torch.tensor(ids[1:]), reduction="sum")
    assert total_nats(logits.numpy(), ids) == pytest.approx(float(wanted))
    assert total_nats(np.zeros((2, 8), np.float32), [0, 1]) == pytest.approx(math.log(8))


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_dialogues_of_ones_own_are_taken(tmp_path: Path, suffix: str) -> None:
    line = json.dumps({"source": "mine", "turns": ["do you like number 3?", "yes, it is <|end|> round"]}) + "\n"
    path = tmp_path / f"mine{suffix}"
    path.write_bytes(gzip.compress(line.encode()) if suffix.endswith("gz") else line.encode())
    made = build_samples(words(), POSITIONS, STEPS, path)
    assert words().decode(made.prompts[0]) == "<|user|>do you like number 3?<|end|><|assistant|>"
    ends = words().convert_tokens_to_ids("<|end|>")
    assert made.passages[0].count(ends) == 2


def test_an_empty_file_of_dialogues_is_named(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"there is nothing in .*none\.jsonl"):
        build_samples(words(), POSITIONS, STEPS, tmp_path / "none.jsonl")


def test_a_tokenizer_without_template_is_tried_on_plain_lines() -> None:
    bare = copy.deepcopy(words())
    bare.chat_template = None
    made = build_samples(bare, POSITIONS, STEPS)
    assert bare.decode(made.prompts[0]) == CHATS[0][0]


def test_a_window_smaller_than_the_chats() -> None:
    made = build_samples(words(), 32, STEPS)
    assert max(map(len, made.prompts)) == 32 - STEPS
    assert max(map(len, made.passages)) == 32


def test_names_of_formats() -> None:
    assert [f.name for f in parse_formats(["gguf:q8_0, onnx", "gguf:q8_0"])] == ["gguf:q8_0", "onnx"]
    with pytest.raises(ValueError, match=r"--format gguf:q4: there are safetensors:fp16, .*onnx:int8"):
        parse_formats(["gguf:f16,gguf:q4"])
    with pytest.raises(ValueError, match=r"would both be model\.safetensors"):
        parse_formats(["safetensors:fp16", "safetensors:fp32"])
