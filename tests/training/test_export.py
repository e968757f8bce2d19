"""`python -m training.export` as a user runs it: what is written, what is refused, what is left alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2DoubleHeadsModel

from tests.training.formats import listing, network, saved, words
from training import export
from training.formats import FORMATS
from training.formats.gguf import open_reader

ALL = "safetensors:fp16,gguf:f16,gguf:q8_0,onnx,onnx:int8"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    return saved(tmp_path / "trained")


def test_every_format_at_once(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new" / "served"
    assert export.main([str(trained), str(target), "--format", ALL, "--name", "Tiny", "--licence", "CC0-1.0"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    for form in ALL.split(","):
        line = next(line for line in said.out.splitlines() if f"({form}, " in line)
        assert line.startswith(FORMATS[form].file)
        assert "perplexity" in line
        assert ("greedy tokens equal" in line) == FORMATS[form].greedy
    assert set(listing(target)) == {
        *(FORMATS[form].file for form in ALL.split(",")), "config.json", "generation_config.json",
        "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
    }  # fmt: skip
    assert {oct(path.stat().st_mode & 0o777) for path in target.iterdir()} == {"0o644"}
    assert target.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in target.parent.iterdir()] == ["served"]


@pytest.mark.parametrize(("precision", "kept"), [("fp16", torch.float16), ("fp32", torch.float32)])
def test_transformers_loads_the_precision_that_was_asked_for(
    trained: Path, tmp_path: Path, precision: str, kept: torch.dtype
) -> None:
    target = tmp_path / "served"
    assert export.main([str(trained), str(target), "--format", f"safetensors:{precision}", "--top-k", "7"]) == 0
    assert {weight.dtype for weight in load_file(target / "model.safetensors").values()} == {kept}
    model: Any = AutoModelForCausalLM.from_pretrained(target)
    assert model.dtype == kept
    ids = AutoTokenizer.from_pretrained(target)("hello there", return_tensors="pt")
    answer = model.generate(**ids, max_new_tokens=5, do_sample=False, eos_token_id=None)
    assert answer.shape[1] == ids["input_ids"].shape[1] + 5
    assert model.generation_config.top_k == 7
    assert model.generation_config.eos_token_id == sorted({words().bos_token_id, words().eos_token_id})
    wanted, got = network().state_dict(), model.float().state_dict()
    assert all(torch.equal(got[name], wanted[name].to(kept).float()) for name in wanted)


def test_what_serves_today_is_the_default(trained: Path, tmp_path: Path) -> None:
    assert export.main([str(trained), str(tmp_path / "served")]) == 0
    weights = {name for name in listing(tmp_path / "served") if name.startswith("model")}
    assert weights == {"model.safetensors", "model-f16.gguf"}


def test_a_target_is_replaced_whole_and_its_card_kept(trained: Path, tmp_path: Path) -> None:
    target = tmp_path / "served"
    assert export.main([str(trained), str(target), "--format", "gguf:f16,gguf:q8_0"]) == 0
    (target / "README.md").write_text("what it is")
    assert export.main([str(trained), str(target), "--format", "gguf:q8_0"]) == 0
    assert not (target / "model-f16.gguf").exists()
    assert (target / "README.md").read_text() == "what it is"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["served", "trained"]


@pytest.mark.parametrize(
    ("differs", "form", "file"),
    [
        ({"activation_function": "relu"}, "gguf:f16", "model-f16.gguf"),
        ({"activation_function": "relu"}, "gguf:q8_0", "model-q8_0.gguf"),
    ],
)
def test_a_network_that_llama_cpp_computes_otherwise_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], differs: dict[str, Any], form: str, file: str
) -> None:
    """GGUF's gpt2 has one activation: the file loads and answers, but not as its source."""
    good, source = saved(tmp_path / "good"), saved(tmp_path / "other", network(**differs))
    target = tmp_path / "served"
    assert export.main([str(good), str(target)]) == 0
    capsys.readouterr()
    before = listing(tmp_path)
    assert export.main([str(source), str(target), "--format", f"safetensors:fp16,{form}"]) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert f"{target / file} ({form}) would be broken, nothing is written: perplexity" in said.err
    assert "are allowed" in said.err
    assert said.out == ""
    assert listing(tmp_path) == before
    assert export.main([str(source), str(target), "--format", "safetensors:fp16"]) == 0


def test_attention_that_llama_cpp_scales_otherwise_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = saved(tmp_path / "other", network(scale_attn_by_inverse_layer_idx=True))
    assert export.main([str(source), str(tmp_path / "served")]) == 2
    assert "scale_attn_by_inverse_layer_idx is True" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_weights_that_fp16_cannot_hold_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = network()
    model.transformer.h[0].mlp.c_proj.weight.data[0, 0] = 1e5
    source = saved(tmp_path / "trained", model)
    for form in ("safetensors:fp16", "gguf:f16"):
        assert export.main([str(source), str(tmp_path / "new" / "served"), "--format", form]) == 2
        assert form in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["trained"]
    assert export.main([str(source), str(tmp_path / "served"), "--format", "safetensors:fp32"]) == 0


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft 0.21
def test_an_adapter_on_a_choice_head_serves_as_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = saved(tmp_path / "base", network(GPT2DoubleHeadsModel))
    model = get_peft_model(
        GPT2DoubleHeadsModel.from_pretrained(base),
        LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True, init_lora_weights=False),
    )
    model.save_pretrained(str(tmp_path / "lora"))
    assert export.main([str(tmp_path / "lora"), str(tmp_path / "served"), "--format", "gguf:f16"]) == 0
    said = capsys.readouterr().out
    assert "the LoRA adapter is merged into its base" in said
    assert "the choice head is left out" in said
    ids = list(range(10, 40))
    with open_reader(tmp_path / "served" / "model-f16.gguf") as reader, torch.no_grad():
        wanted = model.eval()(torch.tensor([ids])).logits[0].numpy()
        assert reader.logits(ids, 30) == pytest.approx(wanted, abs=0.03 * float(wanted.std()))


def test_a_model_without_template_gets_the_plain_one(trained: Path, tmp_path: Path) -> None:
    (trained / "chat_template.jinja").unlink()
    assert export.main([str(trained), str(tmp_path / "served"), "--format", "gguf:f16"]) == 0
    with open_reader(tmp_path / "served" / "model-f16.gguf") as reader:
        assert "Assistant:" in str(reader.template)


def test_it_is_checked_on_dialogues_of_ones_own(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "mine.jsonl"
    data.write_text(json.dumps({"source": "mine", "turns": ["what is your name?", "number 3"]}) + "\n")
    options = ["--format", "gguf:f16", "--check-data", str(data)]
    assert export.main([str(trained), str(tmp_path / "served"), *options]) == 0
    assert "(1 prompts x 24" in capsys.readouterr().out
    data.write_text("{}\n")
    assert export.main([str(trained), str(tmp_path / "other"), *options]) == 2
    assert f"{data}, line 1" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--format", "gguf:q4"], "gguf:q4"),
        (["--format", ""], "there are"),
        (["--check-data", "none.jsonl"], "none.jsonl"),
        (["--temperature", "-1"], "temperature"),
    ],
)
def test_a_wrong_option_is_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert export.main([str(trained), str(tmp_path / "served"), *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["trained"]


def test_a_run_is_not_replaced_by_its_own_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = saved(tmp_path / "run")
    checkpoint = saved(run / "checkpoint-10")
    before = listing(tmp_path)
    assert export.main([str(checkpoint), str(run)]) == 2
    assert "holds the source" in capsys.readouterr().err
    assert listing(tmp_path) == before
