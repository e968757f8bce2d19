"""Prepared rows to a model, with Hugging Face's Trainer: on a CPU, a GPU, or several (torchrun).

Examples:
  python -m training.train --data runs/mine --init gpt2 --out runs/mine/model
  python -m training.train --data runs/mine --config small --epochs 4 --out runs/mine/model
  python -m training.train --data runs/mine --out runs/mine/model --resume
  torchrun --nproc-per-node 2 -m training.train --data runs/mine --config small --out runs/mine/model
"""

import argparse
import os
import sys
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

# Two spinning thread pools on few cores wait for each other; read by OpenMP when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from datasets import Dataset
from torch.utils.tensorboard.writer import SummaryWriter
from transformers import GPT2Config, GPT2DoubleHeadsModel, TrainingArguments
from transformers.integrations import TensorBoardCallback

from training import branches, curves, hardware, recipe, store, tokenizer, trainer
from training.command import parser, run
from training.heads import ChoiceCollator
from training.model import GPT2LMHeadModel
from training.recipe import HELP, SIZES, Recipe


def start(plan: Recipe, made: Any) -> Any:
    """The model before its first step. Raises OSError where `--init` cannot be had."""
    kind: Any = GPT2DoubleHeadsModel if plan.double_heads else GPT2LMHeadModel
    model = kind(_config(plan, made)) if plan.config else _saved(kind, plan.init)
    if model.config.vocab_size != len(made):
        model.resize_token_embeddings(len(made))
    model.config.update({"eos_token_id": made.eos_token_id, "pad_token_id": made.pad_token_id})
    if plan.dropout >= 0:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = plan.dropout
        model.config.update({"resid_pdrop": plan.dropout, "embd_pdrop": plan.dropout})
    if model.config.activation_function == "gelu_new":
        for block in model.transformer.h:  # the same function as one kernel instead of eight
            block.mlp.act = torch.nn.GELU(approximate="tanh")
    model.contrast, model.distractors = plan.contrast, plan.distractors
    return _adapted(model, plan.lora) if plan.lora else model


def _config(plan: Recipe, made: Any) -> GPT2Config:
    return GPT2Config(
        vocab_size=len(made), **SIZES[plan.config], bos_token_id=made.bos_token_id, eos_token_id=made.eos_token_id,
        pad_token_id=made.pad_token_id, attn_pdrop=0.0, num_labels=1,
    )  # fmt: skip


def _saved(kind: Any, name: str) -> Any:
    try:
        return kind.from_pretrained(name, dtype=torch.float32, num_labels=1)
    except OSError as error:
        raise OSError(
            f"--init {name}: cannot be loaded ({str(error).splitlines()[0]}); name a folder with a saved GPT-2, or "
            "a hub name where there is a network"
        ) from error


def _adapted(model: Any, rank: int) -> Any:
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) on the matrices of the blocks; the rest stands still."""
    from peft import LoraConfig, get_peft_model

    targets = ["c_attn", "c_proj", "c_fc"]
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets, fan_in_fan_out=True, task_type="CAUSAL_LM")
    with warnings.catch_warnings():  # peft still asks transformers by a name that is on its way out
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        return get_peft_model(model, config)


def arguments(plan: Recipe, out: Path, precision: str, steps: int) -> TrainingArguments:
    """The recipe in the Trainer's words; `steps` is the whole run's length."""
    schedule, extra = {"stable": "warmup_stable_decay"}.get(plan.schedule, plan.schedule), {}
    warm = int(plan.warmup * steps)
    if plan.schedule == "stable":
        extra = {"num_decay_steps": int(plan.decay * steps), "decay_type": "linear", "min_lr_ratio": 0.0}
    return TrainingArguments(
        output_dir=str(out), max_steps=steps, per_device_train_batch_size=plan.batch,
        per_device_eval_batch_size=plan.batch, gradient_accumulation_steps=plan.accumulate, learning_rate=plan.rate,
        lr_scheduler_type="constant_with_warmup" if schedule == "constant" else schedule, lr_scheduler_kwargs=extra,
        warmup_steps=warm, weight_decay=plan.weight_decay, max_grad_norm=1.0, bf16=precision == "bf16",
        fp16=precision == "fp16", use_cpu=not torch.cuda.is_available(), eval_strategy="steps",
        eval_steps=plan.evaluate_every, save_strategy="steps", save_steps=plan.save_every,
        save_total_limit=max(plan.keep, plan.average), logging_steps=plan.log_every, report_to="none",
        remove_unused_columns=False, seed=plan.seed, data_seed=plan.seed, prediction_loss_only=True,
        train_sampling_strategy="group_by_length" if plan.group_by_length else "random", length_column_name="length",
        dataloader_pin_memory=torch.cuda.is_available(), label_names=["labels"],
        ddp_backend="gloo" if trainer.distributed() and not torch.cuda.is_available() else None,
    )  # fmt: skip


def train(plan: Recipe, data: Path, out: Path, resume: Path | None) -> None:
    """The whole run; `out` gets the model folder, checkpoints, log.jsonl and TensorBoard's files."""
    rows, val = (store.load(data, f"{'choices/' if plan.double_heads else ''}{split}") for split in ("train", "val"))
    made = tokenizer.load(str(data / "tokenizer"))
    if resume and tokenizer.load(str(resume)).get_vocab() != made.get_vocab():
        raise ValueError(
            f"{data}/tokenizer has another vocabulary than {resume}: go on with the data it was trained on"
        )
    torch.manual_seed(plan.seed)
    model = start(plan, made)
    precision, why = hardware.precision(plan.precision)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters; {precision}: {why}")
    longest = store.longest(rows)
    if longest > model.config.n_positions:
        raise ValueError(
            f"rows of {longest} tokens do not fit a model of {model.config.n_positions} positions: "
            f"training.prepare --max-length {model.config.n_positions}, or another model"
        )
    print(hardware.check(model, plan, longest), flush=True)
    out.mkdir(parents=True, exist_ok=True)
    plan.save(out / "recipe.json")
    stop = trainer.Stop()
    running = trainer.ChatTrainer(
        model=model, args=arguments(plan, out, precision, _steps(plan, len(rows))), plan=plan, tokenizer=made,
        train_dataset=rows, eval_dataset=val,
        data_collator=_collator(plan, made.pad_token_id, rows),
        plain_collator=_collator(replace(plan, learn="assistant", contrast=0.0), made.pad_token_id, rows),
        callbacks=[stop, trainer.Log(out / "log.jsonl"), TensorBoardCallback(SummaryWriter(str(out / "tensorboard")))],
    )  # fmt: skip
    try:
        running.train(resume_from_checkpoint=str(resume) if resume else None)
    finally:
        stop.release()
    if not stop.asked and running.is_world_process_zero():
        finish(running.model, made, plan, out)


def _collator(plan: Recipe, pad: int, rows: Dataset) -> Any:
    if plan.double_heads:
        return ChoiceCollator(pad, plan.distractors + 1)
    pool = branches.pool(rows) if plan.contrast else {}
    return branches.Collator(
        pad, plan.learn, plan.turns if plan.contrast else 0, plan.contrasted, plan.distractors, pool
    )


def _steps(plan: Recipe, rows: int) -> int:
    """The whole run's length: as asked, or the epochs'."""
    if plan.steps > 0:
        return plan.steps
    batches = max(1, rows // (plan.batch * int(os.environ.get("WORLD_SIZE", "1"))))
    return max(1, int(plan.epochs * batches / plan.accumulate))


def finish(model: Any, made: Any, plan: Recipe, out: Path) -> None:
    """The model folder as Hugging Face loads it; `average` checkpoints become one (Izmailov et al. 2018)."""
    last = trainer.checkpoints(out)[-plan.average :] if plan.average > 1 else []
    if len(last) > 1:
        states = [GPT2LMHeadModel.from_pretrained(p).state_dict() for p in last]
        model.load_state_dict({k: torch.stack([s[k].float() for s in states]).mean(0) for k in states[0]})
        print(f"averaged {', '.join(p.name for p in last)}")
    model.save_pretrained(out)
    made.save_pretrained(out)
    curves.plot([out / "log.jsonl"], out / "curves.png")
    print(f"the model is in {out}: python -m training.export {out} TARGET makes it ready to serve")


def main(argv: list[str] | None = None) -> int:
    """Command line: each field of Recipe is an option."""
    options = parser("training.train", __doc__)
    options.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    options.add_argument("--out", type=Path, required=True, help="folder of the run, then of the model")
    options.add_argument("--resume", action="store_true", help="go on from the last whole checkpoint in --out")
    for name, value in asdict(Recipe()).items():
        kind: Any = argparse.BooleanOptionalAction if isinstance(value, bool) else "store"
        typed: dict[str, Any] = {} if isinstance(value, bool) else {"type": type(value)}
        scratch = f", {recipe.SCRATCH[name]} from nothing" if name in recipe.SCRATCH else ""
        options.add_argument(
            f"--{name.replace('_', '-')}", action=kind, default=None, **typed,
            help=f"{HELP.get(name, '')} ({value}{scratch})".strip(),
        )  # fmt: skip
    args = vars(options.parse_args(argv))
    data, out, resume = args.pop("data"), args.pop("out"), args.pop("resume")
    return run("train", lambda: work({k: v for k, v in args.items() if v is not None}, data, out, resume))


def work(given: dict[str, Any], data: Path, out: Path, resume: bool) -> None:
    """What the command does. Raises ValueError, OSError."""
    whole = trainer.checkpoints(out)
    if resume:
        if not whole:
            raise ValueError(f"{out} has no whole checkpoint to go on from: leave --resume away, or name another --out")
        plan = recipe.again(out / "recipe.json", given)
        print(f"going on from {whole[-1].name}")
        train(plan, data, out, whole[-1])
        return
    if whole:
        raise ValueError(f"{out} has checkpoints of a run: --resume goes on with it, another --out starts anew")
    train(recipe.resolve(given), data, out, None)


if __name__ == "__main__":
    sys.exit(main())
