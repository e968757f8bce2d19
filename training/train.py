"""Prepared rows to a model, with Hugging Face's Trainer: on a CPU, a GPU, or several (torchrun).

Examples:
  python -m training.train --data runs/mine --config small --epochs 4 --out runs/mine/model
  python -m training.train --data runs/films --init gpt2 --out runs/films/model   (prepared with --tokenizer gpt2)
  python -m training.train --data runs/chat --init base.gguf --lora 8 --rate 5e-4 --out runs/chat/lora
  python -m training.train --data runs/mine --out runs/mine/model --resume
  torchrun --nproc-per-node 2 -m training.train --data runs/mine --config small --out runs/mine/model
"""

import argparse
import math
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Two spinning thread pools on few cores wait for each other; read by OpenMP when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from datasets import Dataset
from torch.utils.tensorboard.writer import SummaryWriter
from transformers import TrainingArguments
from transformers.integrations import TensorBoardCallback

from training import branches, hardware, recipe, store, tokenizer, trainer, weights
from training.choice_head import ChoiceCollator
from training.command import parser, run
from training.recipe import HELP, Recipe


def arguments(plan: Recipe, out: Path, precision: str, steps: int) -> TrainingArguments:
    """The recipe in the Trainer's words; `steps` is the whole run's length."""
    schedule, extra = {"stable": "warmup_stable_decay"}.get(plan.schedule, plan.schedule), {}
    warm = int(plan.warmup * steps)
    if plan.schedule == "stable":
        extra = {"num_decay_steps": int(plan.decay * steps), "decay_type": "linear", "min_lr_ratio": 0.0}
    return TrainingArguments(
        output_dir=str(out),
        max_steps=steps,
        per_device_train_batch_size=plan.batch,
        per_device_eval_batch_size=plan.batch,
        gradient_accumulation_steps=plan.accumulate,
        learning_rate=plan.rate,
        lr_scheduler_type="constant_with_warmup" if schedule == "constant" else schedule,
        lr_scheduler_kwargs=extra,
        warmup_steps=warm,
        weight_decay=plan.weight_decay,
        max_grad_norm=1.0,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=not torch.cuda.is_available(),
        eval_strategy="steps",
        eval_steps=plan.evaluate_every,
        save_strategy="steps",
        save_steps=plan.save_every,
        save_total_limit=max(plan.keep, plan.average),
        logging_steps=plan.log_every,
        report_to="none",
        remove_unused_columns=False,
        seed=plan.seed,
        data_seed=plan.seed,
        prediction_loss_only=True,
        train_sampling_strategy="group_by_length" if plan.group_by_length else "random",
        length_column_name="length",
        dataloader_pin_memory=torch.cuda.is_available(),
        label_names=["labels"],
        ddp_backend="gloo" if trainer.is_distributed() and not torch.cuda.is_available() else None,
    )


def train(plan: Recipe, data: Path, out: Path, resume: Path | None) -> None:
    """The whole run; `out` gets the model folder, checkpoints, log.jsonl and TensorBoard's files."""
    rows, val = (store.load(data, f"{'choices/' if plan.double_heads else ''}{split}") for split in ("train", "val"))
    bpe = tokenizer.load(str(data / "tokenizer"))
    if resume and tokenizer.load(str(resume)).get_vocab() != bpe.get_vocab():
        raise ValueError(
            f"{data}/tokenizer has another vocabulary than {resume}: go on with the data it was trained on"
        )
    torch.manual_seed(plan.seed)
    model, steps = weights.initialize(plan, bpe), _steps(plan, len(rows))
    precision, why = hardware.choose_precision(plan.precision)
    if precision == "bf16":
        weights.round_frozen(model)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters; {precision}: {why}; {plan.summary(steps)}")
    print(hardware.check_memory(model, plan, _fitting(rows, model)), flush=True)
    settings = arguments(plan, out, precision, steps)
    out.mkdir(parents=True, exist_ok=True)
    if resume is None:
        plan.save(out / "recipe.json")
    stop = trainer.Stop()
    running = trainer.ChatTrainer(
        model=model,
        args=settings,
        plan=plan,
        tokenizer=bpe,
        train_dataset=rows,
        eval_dataset=val,
        data_collator=_collator(plan, bpe.pad_token_id, rows, model.config.max_position_embeddings),
        plain_collator=_collator(plan.for_validation(), bpe.pad_token_id, rows, model.config.max_position_embeddings),
        callbacks=[
            stop,
            trainer.JsonLog(out / "log.jsonl"),
            TensorBoardCallback(SummaryWriter(str(out / "tensorboard"))),
        ],
    )
    done = 0 if resume is None else trainer.checkpoint_step(resume)
    try:
        if done < steps:
            running.train(resume_from_checkpoint=str(resume) if resume else None)
            done = running.state.global_step
        else:
            running._load_from_checkpoint(str(resume))  # ended between its last checkpoint and the finished model
    finally:
        stop.release()
    if done >= steps and running.is_world_process_zero():
        weights.save_finished(running.model, bpe, plan, out)


def _fitting(rows: Dataset, model: Any) -> int:
    """Tokens of the longest row. Raises ValueError where the model has not so many positions."""
    longest, positions = store.longest_row(rows), model.config.max_position_embeddings
    if longest > positions:
        raise ValueError(
            f"rows of {longest} tokens do not fit a model of {positions} positions: "
            f"training.prepare --max-length {positions}, or another model"
        )
    return longest


def _collator(plan: Recipe, pad: int, rows: Dataset, window: int) -> Any:
    if plan.double_heads:
        return ChoiceCollator(pad, plan.distractors + 1)
    pool = branches.sample_replies(rows) if plan.contrast else {}
    turns = plan.turns if plan.contrast else 0
    return branches.Collator(pad, plan.learn, turns, plan.contrasted, plan.distractors, pool, window)


def _steps(plan: Recipe, rows: int) -> int:
    """The whole run's length: as asked, or the epochs'."""
    if plan.steps > 0:
        return plan.steps
    batches = math.ceil(rows / (plan.batch * int(os.environ.get("WORLD_SIZE", "1"))))
    return max(1, round(plan.epochs * math.ceil(batches / plan.accumulate)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong. Each field of Recipe is an option."""
    options = parser("training.train", __doc__)
    options.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    options.add_argument("--out", type=Path, required=True, help="folder of the run, then of the model")
    options.add_argument("--resume", action="store_true", help="go on from the last whole checkpoint in --out")
    for name, value in asdict(Recipe()).items():
        kind: Any = argparse.BooleanOptionalAction if isinstance(value, bool) else "store"
        typed: dict[str, Any] = {} if isinstance(value, bool) else {"type": type(value)}
        scratch = f", {recipe.SCRATCH[name]} from nothing" if name in recipe.SCRATCH else ""
        options.add_argument(
            f"--{name.replace('_', '-')}",
            action=kind,
            default=None,
            **typed,
            help=f"{HELP.get(name, '')} ({value}{scratch})".strip(),
        )
    args = vars(options.parse_args(argv))
    data, out, resume = args.pop("data"), args.pop("out"), args.pop("resume")
    return run("train", lambda: work({k: v for k, v in args.items() if v is not None}, data, out, resume))


def work(overrides: dict[str, Any], data: Path, out: Path, resume: bool) -> None:
    """Start a run, or go on with one. Raises ValueError, OSError."""
    complete = trainer.checkpoints(out)
    if resume:
        if not complete:
            raise ValueError(f"{out} has no whole checkpoint to go on from: leave --resume away, or name another --out")
        plan = recipe.load_saved(out / "recipe.json", overrides)
        print(f"going on from {complete[-1].name}")
        trainer.truncate_log(out / "log.jsonl", trainer.checkpoint_step(complete[-1]))
        train(plan, data, out, complete[-1])
        return
    if complete:
        raise ValueError(f"{out} has checkpoints of a run: --resume goes on with it, another --out starts anew")
    train(recipe.resolve(overrides), data, out, None)


if __name__ == "__main__":
    sys.exit(main())
