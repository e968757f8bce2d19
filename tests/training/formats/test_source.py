"""What can be exported: models, checkpoints, choice heads and adapters; and folders that cannot."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GPT2DoubleHeadsModel, GPT2LMHeadModel, LlamaConfig

from tests.training.formats import network, saved, words
from training.formats import source

# peft 0.21 asks transformers 5.23 under a name that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
IDS = torch.arange(20)[None]


def logits(model: Any) -> Any:
    with torch.no_grad():
        return model(IDS, attention_mask=torch.ones_like(IDS)).logits


def adapted(base: Any, **settings: Any) -> Any:
    """A base with an adapter that changes much."""
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True, **settings)
    model = get_peft_model(base, config)
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(0, 0.3)
    return model.eval()


@pytest.mark.parametrize("tied", [True, False])
def test_a_model_loads_as_it_is(tmp_path: Path, tied: bool) -> None:
    made = network(tie_word_embeddings=tied)
    loaded = source.load(saved(tmp_path, made))
    assert torch.equal(logits(loaded.model), logits(made))
    assert loaded.notes == ()


def test_fp16_weights_are_read_to_fp32(tmp_path: Path) -> None:
    loaded = source.load(saved(tmp_path, network().half()))
    assert loaded.model.dtype == torch.float32


def test_the_choice_head_is_left_out_and_said(tmp_path: Path) -> None:
    made = network(GPT2DoubleHeadsModel)
    loaded = source.load(saved(tmp_path, made))
    assert type(loaded.model) is GPT2LMHeadModel
    assert torch.equal(logits(loaded.model), logits(made))
    assert loaded.notes == ("the choice head is left out: nothing serves it",)
    loaded.model.save_pretrained(tmp_path / "again")
    assert "multiple_choice_head.summary.weight" not in load_file(tmp_path / "again" / "model.safetensors")


@pytest.mark.parametrize("beside", [True, False])
def test_an_adapter_is_merged_into_its_base(tmp_path: Path, beside: bool) -> None:
    base = network()
    plain = logits(base)
    model = adapted(GPT2LMHeadModel.from_pretrained(saved(tmp_path / "base", base)))
    model.save_pretrained(tmp_path / "lora")
    if beside:
        settings = tmp_path / "lora" / "adapter_config.json"
        settings.write_text(settings.read_text().replace(str(tmp_path / "base"), "../base"))
    loaded = source.load(tmp_path / "lora")
    assert type(loaded.model) is GPT2LMHeadModel
    assert (logits(loaded.model) - plain).abs().max() > 0.5
    assert torch.allclose(logits(loaded.model), logits(model), atol=1e-3)
    assert "merged into its base" in loaded.notes[0]
    assert loaded.tokenizer.chat_template == words().chat_template


def test_an_adapter_that_brings_a_choice_head(tmp_path: Path) -> None:
    saved(tmp_path / "base")
    torch.manual_seed(5)
    double = GPT2DoubleHeadsModel.from_pretrained(tmp_path / "base")
    model = adapted(double, modules_to_save=["multiple_choice_head"])
    model.save_pretrained(tmp_path / "lora")
    loaded = source.load(tmp_path / "lora")
    assert torch.allclose(logits(loaded.model), logits(model), atol=1e-3)
    assert [note.split(" ")[2] for note in loaded.notes] == ["adapter", "head"]


def test_an_adapter_with_tokens_of_its_own(tmp_path: Path) -> None:
    saved(tmp_path / "base")
    more = copy.deepcopy(words())
    more.add_tokens(["garden", "kitchen"])
    grown = GPT2LMHeadModel.from_pretrained(tmp_path / "base")
    grown.resize_token_embeddings(len(more), mean_resizing=False)
    model = adapted(grown)
    model.save_pretrained(tmp_path / "lora", save_embedding_layers=True)
    more.save_pretrained(tmp_path / "lora")
    loaded = source.load(tmp_path / "lora")
    assert len(loaded.tokenizer) == loaded.model.config.vocab_size == len(words()) + 2
    assert torch.allclose(logits(loaded.model), logits(model), atol=1e-3)


def test_a_checkpoint_needs_a_tokenizer(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint-20")
    (folder / "trainer_state.json").write_text("{}")
    assert source.load(folder).model.config.n_layer == 2
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"checkpoint-20: there is no tokenizer: copy"):
        source.load(folder)


def no_number(folder: Path) -> None:
    model = network()
    model.transformer.h[1].mlp.c_fc.weight.data[3, 3] = torch.nan
    model.save_pretrained(folder)


def lacking(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["transformer.h.0.attn.c_attn.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def cut(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])


def another(folder: Path) -> None:
    LlamaConfig().save_pretrained(folder)


def fewer(folder: Path) -> None:
    network(vocab_size=300).save_pretrained(folder)


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_number, r"1 values of transformer.h.1.mlp.c_fc.weight are no numbers"),
        (lacking, r"1 tensors are not there \(transformer.h.0.attn.c_attn.weight\)"),
        (cut, r"incomplete|header|not fully covered"),
        (another, r"a model of type llama"),
        (fewer, r"its tokenizer has \d+ tokens, its model 300"),
        (without_config, r"config.json"),
        (shutil.rmtree, r"is no folder"),
    ],
)
def test_a_spoilt_folder_is_named_in_one_line(tmp_path: Path, spoil: Any, said: str) -> None:
    spoil(saved(tmp_path / "mine"))
    with pytest.raises((ValueError, OSError), match=said) as raised:
        source.load(tmp_path / "mine")
    assert str(tmp_path / "mine") in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(("text", "said"), [("{}", "names no base"), ("[]", "no JSON object"), ("{", "Expecting")])
def test_a_spoilt_adapter_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(ValueError, match=said) as raised:
        source.load(tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_weights_beyond_fp16_are_named() -> None:
    model = network()
    model.transformer.wpe.weight.data[0, 0] = 70000.0
    with pytest.raises(ValueError, match=r"transformer.wpe.weight reaches 7e\+04, beyond fp16's 65504"):
        source.round_to_fp16(model)
