"""Training on small prepared data: it learns, stops and goes on, alone and as two processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, GPT2Config, GPT2DoubleHeadsModel, GPT2LMHeadModel, PreTrainedTokenizerFast

from settings import ROOT
from tests import fork
from tests.training import tiny
from tests.training.conftest import dialogue, run, write
from training import average, export, train

SMALL = ["--precision", "fp32", "--batch", "4", "--log-every", "1", "--evaluate-every", "1000", "--dropout", "0.1"]


def log(out: Path, key: str = "loss") -> dict[int, float]:
    """What was logged at each step."""
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return {row["step"]: row[key] for row in rows if key in row}


def trained(data: Path, out: Path, *options: str) -> int:
    """training.train in this process."""
    return train.main(["--data", str(data), "--out", str(out), *SMALL, *options])


def started(data: Path, out: Path, *options: str, launcher: tuple[str, ...] = ("-m",)) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    command = [sys.executable, *launcher, "training.train", "--data", str(data), "--out", str(out), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return fork.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def until(out: Path, step: int, process: subprocess.Popen[str]) -> None:
    """Wait until a step is logged."""
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        if (out / "log.jsonl").exists() and max(log(out), default=0) >= step:
            return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate()[0])


@pytest.fixture(scope="module")
def base(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained from nothing for 60 steps."""
    out = tmp_path_factory.mktemp("trained") / "model"
    options = ["--config", "tiny", "--steps", "60", "--rate", "0.004", "--save-every", "20", "--average", "2"]
    assert trained(prepared, out, *options) == 0
    return out


def test_training_from_nothing_learns(base: Path) -> None:
    losses = log(base)
    assert len(losses) == 60
    assert sum(losses[s] for s in range(51, 61)) / 10 < losses[1] * 0.75
    assert min(log(base, "tokens_per_second").values()) > 0
    assert [p.name for p in (base / "tensorboard").iterdir()]
    assert (base / "curves.png").read_bytes().startswith(b"\x89PNG")
    model, made = GPT2LMHeadModel.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    assert model.config.architectures == ["GPT2LMHeadModel"]
    assert model.config.eos_token_id == made.convert_tokens_to_ids("<|end|>")


def test_the_last_checkpoints_are_averaged(base: Path) -> None:
    states = [GPT2LMHeadModel.from_pretrained(base / f"checkpoint-{n}").state_dict() for n in (40, 60)]
    name = "transformer.h.0.mlp.c_fc.weight"
    made = GPT2LMHeadModel.from_pretrained(base).state_dict()[name]
    torch.testing.assert_close(made, (states[0][name] + states[1][name]) / 2)


def test_a_run_that_was_killed_and_one_that_was_ended_go_on_as_if_they_never_were(
    prepared: Path, tmp_path: Path
) -> None:
    """The same losses, step by step, beyond the end of an epoch: dropout, order and optimizer state included."""
    options = [*SMALL, "--config", "tiny", "--steps", "38", "--save-every", "5", "--batch", "16"]
    options += ["--contrast", "0.5", "--contrasted", "0.5"]
    whole, out = started(prepared, tmp_path / "whole", *options), tmp_path / "ended"
    run_ = started(prepared, out, *options)
    for step, end, status in ((22, signal.SIGKILL, -signal.SIGKILL), (30, signal.SIGTERM, 0)):
        until(out, step, run_)
        run_.send_signal(end)
        told, _ = run_.communicate(timeout=300)
        assert run_.returncode == status, told
        assert max(log(out)) < 38
        assert not (out / "model.safetensors").exists(), "a stopped run leaves no finished model"
        run_ = started(prepared, out, "--resume")
    for process in (run_, whole):
        told, _ = process.communicate(timeout=300)
        assert process.returncode == 0, told
    expected, found = log(tmp_path / "whole"), log(out)
    assert max(log(tmp_path / "whole", "epoch").values()) > 1.5, "the stop lies in the second reading"
    assert found == pytest.approx(expected, rel=1e-6)
    model, other = (GPT2LMHeadModel.from_pretrained(path) for path in (tmp_path / "whole", out))
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_a_checkpoint_that_was_cut_off_is_not_gone_on_from(base: Path, tmp_path: Path, prepared: Path) -> None:
    assert trained(prepared, tmp_path, "--config", "tiny", "--steps", "6", "--save-every", "3") == 0
    (tmp_path / "checkpoint-6" / "trainer_state.json").write_text('{"global_step": 6, "log_hist')
    (tmp_path / "model.safetensors").unlink()
    assert train.main(["--data", str(prepared), "--out", str(tmp_path), "--resume"]) == 0
    assert (tmp_path / "model.safetensors").exists()
    assert sorted(log(tmp_path)) == [1, 2, 3, 4, 5, 6]


def test_a_full_disk_leaves_the_last_good_checkpoint(prepared: Path, tmp_path: Path) -> None:
    """A limit on file size stands for a full disk: the second checkpoint cannot be written."""
    out = tmp_path / "run"
    assert trained(prepared, out, "--config", "tiny", "--steps", "3", "--save-every", "3") == 0
    saved = json.loads((out / "recipe.json").read_text())
    (out / "recipe.json").write_text(json.dumps({**saved, "steps": 9}))
    code = ("import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000));"
            "from training import train; sys.exit(train.main(sys.argv[1:]))")  # fmt: skip
    command = [sys.executable, "-c", code, "--data", str(prepared), "--out", str(out), "--resume"]
    full = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert full.returncode == 2, full.stderr
    assert [line for line in full.stderr.splitlines() if line.startswith("train: ")]
    assert train.main(["--data", str(prepared), "--out", str(out), "--resume"]) == 0
    assert max(log(out)) == 9


def test_two_processes_are_one(prepared: Path, tmp_path: Path) -> None:
    """torchrun with gloo: two batches of 4 are one of 8."""
    options = ["--precision", "fp32", "--config", "tiny", "--steps", "8", "--log-every", "1", "--no-group-by-length",
               "--learn", "assistant"]  # fmt: skip
    one = started(prepared, tmp_path / "one", *options, "--batch", "8")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
    two = started(prepared, tmp_path / "two", *options, "--batch", "4", launcher=launcher)
    for process in (one, two):
        told, _ = process.communicate(timeout=300)
        assert process.returncode == 0, told
    assert log(tmp_path / "two") == pytest.approx(log(tmp_path / "one"), rel=1e-3)
    assert (tmp_path / "two" / "model.safetensors").exists()


def plain_gpt2(folder: Path) -> Path:
    """A GPT-2 as the hub has it: no token of the chat's but <|endoftext|>."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
    bpe.train_from_iterator(["do you like dogs?"] * 9, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<|endoftext|>")
    config = GPT2Config(vocab_size=len(made), n_positions=128, n_embd=32, n_layer=2, n_head=2, bos_token_id=0,
                        eos_token_id=0)  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("lora", ["0", "4"])
def test_a_plain_gpt2_learns_the_chats_tokens(tmp_path: Path, lora: str) -> None:
    base = plain_gpt2(tmp_path / "gpt2")
    raw = write(tmp_path / "raw.jsonl", [dialogue(i) for i in range(100)])
    assert run(raw, tmp_path / "data", "--tokenizer", str(base), "--val", "0.2", "--max-length", "128") == 0
    options = ["--init", str(base), "--steps", "12", "--lora", lora, "--rate", "0.01"]
    assert trained(tmp_path / "data", tmp_path / "new", *options) == 0
    assert export.main([str(tmp_path / "new"), str(tmp_path / "served")]) == 0
    served, before = (GPT2LMHeadModel.from_pretrained(tmp_path / name) for name in ("served", "gpt2"))
    made = AutoTokenizer.from_pretrained(tmp_path / "served")
    assert served.config.vocab_size == len(made) == before.config.vocab_size + 4
    assert json.loads((tmp_path / "new" / "log.jsonl").read_text().splitlines()[-1])
    losses = log(tmp_path / "new")
    assert losses[12] < losses[1]


def test_another_vocabulary_is_refused(prepared: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tiny.save(tmp_path / "old")
    assert trained(prepared, tmp_path / "new", "--init", str(tmp_path / "old"), "--steps", "2") == 2
    assert "prepare them with training.prepare --tokenizer" in capfd.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_run_that_ended_before_its_model_was_written_is_finished(base: Path, prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "run")
    (tmp_path / "run" / "model.safetensors").unlink()
    with (tmp_path / "run" / "log.jsonl").open("a") as lines:
        lines.write('{"step": 60, "los')
    assert train.main(["--data", str(prepared), "--out", str(tmp_path / "run"), "--resume"]) == 0
    assert not (tmp_path / "run" / "checkpoint-61").exists()
    models_ = [GPT2LMHeadModel.from_pretrained(p).state_dict() for p in (base, tmp_path / "run")]
    assert all(torch.equal(models_[0][name], models_[1][name]) for name in models_[0])


def untrained(folder: Path, prepared: Path, positions: int) -> None:
    """A model of so many positions with the data's tokenizer."""
    made = AutoTokenizer.from_pretrained(prepared / "tokenizer")
    config = GPT2Config(vocab_size=len(made), n_positions=positions, n_embd=32, n_layer=2, n_head=2, bos_token_id=0,
                        eos_token_id=0)  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    made.save_pretrained(folder)


def test_the_mean_of_two_models(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    parts = [base / "checkpoint-20", base / "checkpoint-60"]
    assert average.main([*map(str, parts), "--out", str(tmp_path / "mean")]) == 0
    name = "transformer.wte.weight"
    states = [GPT2LMHeadModel.from_pretrained(p).state_dict()[name] for p in (*parts, tmp_path / "mean")]
    torch.testing.assert_close(states[2], (states[0] + states[1]) / 2)
    tiny.save(tmp_path / "other")
    capfd.readouterr()
    assert average.main([str(base), str(tmp_path / "other"), "--out", str(tmp_path / "no")]) == 2
    assert "another vocabulary" in capfd.readouterr().err
    assert average.main([str(base), "--out", str(tmp_path / "mean")]) == 2


def test_distractors_stay_within_the_positions(tmp_path: Path, prepared: Path) -> None:
    """A model of exactly as many positions as rows have tokens: branches that would lie beyond are left away."""
    untrained(tmp_path / "short", prepared, 96)
    options = ["--init", str(tmp_path / "short"), "--steps", "10", "--contrast", "0.5", "--turns", "4"]
    assert trained(prepared, tmp_path / "run", *options) == 0


def test_a_choice_head_learns_to_choose(prepared: Path, tmp_path: Path) -> None:
    options = ["--config", "tiny", "--steps", "40", "--double-heads", "--rate", "0.003", "--distractors", "3"]
    assert trained(prepared, tmp_path, *options, "--learn", "assistant") == 0
    losses = log(tmp_path)
    assert sum(losses[s] for s in range(31, 41)) < sum(losses[s] for s in range(1, 11))
    model = GPT2DoubleHeadsModel.from_pretrained(tmp_path)
    assert model.config.architectures == ["GPT2DoubleHeadsModel"]


def test_adapters_leave_the_base_alone(base: Path, prepared: Path, tmp_path: Path) -> None:
    assert trained(prepared, tmp_path, "--init", str(base), "--steps", "20", "--lora", "4", "--rate", "0.01") == 0
    assert (tmp_path / "adapter_model.safetensors").stat().st_size < (base / "model.safetensors").stat().st_size / 2
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)
    losses = log(tmp_path)
    assert losses[20] < losses[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "none", "--config", "tiny"], "run training.prepare"),
        (["--config", "huge"], "tiny, small, medium, gpt2"),
        ([], "--init"),
        (["--config", "tiny", "--init", "gpt2"], "--init"),
        (["--init", "nowhere"], "nowhere"),
        (["--config", "tiny", "--precision", "fp16"], "GPU"),
        (["--config", "tiny", "--schedule", "steep"], "linear, cosine"),
        (["--config", "gpt2", "--batch", "40000"], "would not fit: about"),
        (["--config", "tiny", "--resume"], "no whole checkpoint"),
        (["--config", "tiny", "--batch", "0"], "--batch 0"),
        (["--init", "short"], "rows of 96 tokens do not fit a model of 64 positions"),
    ],
)
def test_bad_input_is_one_line(
    prepared: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    untrained(tmp_path / "short", prepared, 64)
    assert train.main(["--data", str(prepared), "--out", "out", *options]) == 2
    error = [line for line in capfd.readouterr().err.splitlines() if line.startswith("train:")]
    assert len(error) == 1
    assert said in error[0]
    assert not list(tmp_path.glob("out/*")), "nothing half-written"


def test_going_on_is_with_the_same_choices_and_vocabulary(
    base: Path, prepared: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def refused(*options: str) -> str:
        assert train.main(["--out", str(base), *options]) == 2
        return capfd.readouterr().err.splitlines()[-1]

    assert "--resume goes on" in refused("--data", str(prepared), "--config", "tiny")
    assert "--batch 7: this run was started with 4" in refused("--data", str(prepared), "--resume", "--batch", "7")
    raw = write(tmp_path / "raw.jsonl", [dialogue(i) for i in range(700, 800)])
    assert run(raw, tmp_path / "other", "--val", "0.2") == 0
    capfd.readouterr()
    assert "another vocabulary" in refused("--data", str(tmp_path / "other"), "--resume")


def test_precision_is_chosen_and_said(base: Path, prepared: Path, tmp_path: Path, capfd: Any) -> None:
    options = ["--config", "tiny", "--steps", "1", "--batch", "4"]
    assert train.main(["--data", str(prepared), "--out", str(tmp_path / "m"), *options]) == 0
    told = capfd.readouterr().out
    assert "parameters; bf16: " in told or "parameters; fp32: neither" in told
    assert "GiB free" in told
