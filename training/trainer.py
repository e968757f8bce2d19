"""Hugging Face's Trainer for our batches: what is logged, when it stops, which checkpoint is whole.

Knows no files but those of a run.
"""

import json
import math
import os
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_pt_utils import LengthGroupedSampler, get_length_grouped_indices

from prompts.atomic_file import atomic_write
from training import choice_head
from training.optimizer import build_optimizer
from training.packing import IGNORED
from training.recipe import Recipe


class ChatTrainer(Trainer):  # type: ignore[misc]
    """Counts real tokens, takes the recipe's optimizer and losses, and validates on rows laid by `plain_collator`."""

    def __init__(self, *args: Any, plan: Recipe, tokenizer: Any, plain_collator: Any, **rest: Any) -> None:
        self.plan, self.chat_tokenizer, self.plain_collator = plan, tokenizer, plain_collator
        self.seen, self.began = 0, time.monotonic()
        super().__init__(*args, **rest)
        # Our own model divides by the tokens of the whole step, its labels in place; the double heads do neither.
        self.model_accepts_loss_kwargs, self._loss_shifts_labels = not plan.double_heads, False

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        sampler = super()._get_train_sampler(train_dataset)
        return EpochSampler(self, sampler) if isinstance(sampler, LengthGroupedSampler) else sampler

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **rest: Any) -> Any:
        """The recipe's losses as one, a scalar; with `return_outputs` the model's outputs beside it."""
        if not self.plan.double_heads:
            return super().compute_loss(model, inputs, return_outputs, **rest)
        outputs = model(**inputs)
        loss = choice_head.combine_losses(outputs, self.plan.language_weight, self.plan.choice_weight)
        return (loss, outputs) if return_outputs else loss

    def create_optimizer(self, model: Any = None) -> Any:
        """The optimizer that the recipe names, made once."""
        if self.optimizer is None:
            self.optimizer: Any = build_optimizer(
                self.model, self.plan.optimizer, self.args.learning_rate, self.args.weight_decay
            )
        return self.optimizer

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Validation weighs the assistant's tokens alone, whatever training learns from."""
        collator = self.data_collator  # type: ignore[has-type]
        self.data_collator = self.plain_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = collator

    def training_step(self, model: Any, inputs: dict[str, torch.Tensor], *args: Any, **rest: Any) -> torch.Tensor:
        """One batch; its real tokens (no padding, no distractors) are counted."""
        self.seen += int(inputs.pop("tokens").sum()) * self.args.world_size
        loss: torch.Tensor = super().training_step(model, inputs, *args, **rest)
        return loss

    def prediction_step(self, model: Any, inputs: dict[str, torch.Tensor], *args: Any, **rest: Any) -> Any:
        """One batch of validation: the loss alone."""
        inputs.pop("tokens", None)
        learnt = int((inputs["labels"] != IGNORED).sum())
        loss, _, _ = super().prediction_step(model, inputs, True)
        return loss if learnt else loss * 0, None, None

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds tokens a second since the last time."""
        if "loss" in logs:
            logs["tokens_per_second"] = round(self.seen / (time.monotonic() - self.began), 1)
            self.seen, self.began = 0, time.monotonic()
        super().log(logs, start_time)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Raises OSError naming what is still whole; a half-written folder is never gone on from."""
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, SafetensorError, RuntimeError) as error:
            complete = checkpoints(Path(self.args.output_dir))
            rest = f"{complete[-1]} is whole: make room, then --resume" if complete else "there is no earlier one"
            raise OSError(
                f"checkpoint {self.state.global_step} cannot be written to {self.args.output_dir} ({error}); {rest}"
            ) from error

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        with saving_adapters():
            super()._save(output_dir, state_dict)
        self.chat_tokenizer.save_pretrained(output_dir or self.args.output_dir)


@contextmanager
def saving_adapters() -> Iterator[None]:
    """A block in which peft does not say that it saves the embeddings (it is to), nor that a GGUF has no config."""
    with warnings.catch_warnings():
        for words in ("Setting `save_embedding_layers`", "Could not find a config file"):
            warnings.filterwarnings("ignore", message=words)
        yield


class EpochSampler(torch.utils.data.Sampler[int]):
    """Length groups in an order that follows from seed and epoch alone, so that a resumed run meets the same rows."""

    def __init__(self, running: ChatTrainer, grouped: LengthGroupedSampler) -> None:
        self.running, self.grouped = running, grouped

    def __len__(self) -> int:
        return len(self.grouped)

    def __iter__(self) -> Iterator[int]:
        args = self.running.args
        batches = math.ceil(len(self.grouped) / (args.train_batch_size * args.world_size))
        epoch = self.running.state.global_step // math.ceil(batches / args.gradient_accumulation_steps)
        drawn = torch.Generator().manual_seed(args.seed * 1_000_003 + epoch)
        return iter(get_length_grouped_indices(self.grouped.lengths, self.grouped.batch_size, generator=drawn))


class Stop(TrainerCallback):  # type: ignore[misc]
    """SIGTERM and Ctrl-C end the run after the step at hand, with a checkpoint; a second one ends it at once."""

    def __init__(self) -> None:
        self.requested = False
        self.before = {s: signal.signal(s, self._ask) for s in (signal.SIGTERM, signal.SIGINT)}

    def _ask(self, number: int, frame: Any) -> None:
        print("Stopping after this step, with a checkpoint…", flush=True)
        self.requested = True
        signal.signal(number, self.before[signal.Signals(number)])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> TrainerControl:
        """Asks the loop to save and stop."""
        if self.requested:
            control.should_save = control.should_training_stop = True
        return control

    def release(self) -> None:
        """The handlers that were there before."""
        for number, handler in self.before.items():
            signal.signal(number, handler)


class JsonLog(TrainerCallback):  # type: ignore[misc]
    """A line of JSON for whatever the Trainer logs, beside TensorBoard's files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **rest: Any
    ) -> None:
        """Append it, from the first process alone."""
        if state.is_world_process_zero and logs:
            row = {"step": state.global_step, **{k: v for k, v in logs.items() if isinstance(v, int | float)}}
            with self.path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(row) + "\n")


def truncate_log(log: Path, step: int) -> None:
    """Drop what was logged after `step`, which will be logged again, and a line that was cut off."""
    if not log.exists():
        return
    lines = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                lines.append(line + "\n")
        except ValueError:
            continue
    with atomic_write(log) as part:
        part.write_text("".join(lines), encoding="utf-8")


def checkpoints(out: Path) -> list[Path]:
    """The whole checkpoints, oldest first: `trainer_state.json` is written last, so one without it was cut off."""
    complete = []
    for path in out.glob("checkpoint-*"):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        complete.append(path)
    return sorted(complete, key=checkpoint_step)


def checkpoint_step(checkpoint: Path) -> int:
    """The step it was written after."""
    return int(checkpoint.name.rpartition("-")[2])


def is_distributed() -> bool:
    """Whether torchrun started this process beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
