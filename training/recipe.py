"""Every choice that shapes a run, and the two sets of defaults: fine-tuning a model, or starting one from nothing.

Knows no data and no model but their sizes.
"""

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from prompts.atomic_file import atomic_write

SIZES = {
    "tiny": {"n_layer": 2, "n_embd": 128, "n_head": 4, "n_positions": 256},
    "small": {"n_layer": 6, "n_embd": 320, "n_head": 5, "n_positions": 1024},
    "medium": {"n_layer": 8, "n_embd": 512, "n_head": 8, "n_positions": 1024},
    "gpt2": {"n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024},
}


@dataclass(frozen=True)
class Recipe:
    """The defaults are those of fine-tuning; SCRATCH has what differs for a model that starts from nothing.

    Rates are peaks, lengths in tokens, `warmup` and `decay` shares of all steps.
    """

    init: str = ""
    config: str = ""
    epochs: float = 3.0
    steps: int = -1
    batch: int = 8
    accumulate: int = 1
    rate: float = 5e-5
    schedule: str = "linear"
    warmup: float = 0.0
    decay: float = 0.4
    optimizer: str = "adamw"
    weight_decay: float = 0.0
    dropout: float = -1.0
    precision: str = "auto"
    learn: str = "assistant"
    contrast: float = 0.0
    contrasted: float = 1.0
    turns: int = 1
    distractors: int = 4
    double_heads: bool = False
    language_weight: float = 2.0
    choice_weight: float = 1.0
    lora: int = 0
    lora_from: int = 0
    group_by_length: bool = True
    average: int = 1
    evaluate_every: int = 5000
    save_every: int = 10_000
    keep: int = 3
    log_every: int = 50
    seed: int = 1

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all. Raises OSError."""
        with atomic_write(path) as part:
            part.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    def for_validation(self) -> "Recipe":
        """The recipe by which validation collates: the assistant's tokens, no distractors."""
        return replace(self, learn="assistant", contrast=0.0)

    def summary(self, steps: int) -> str:
        """The choices that matter most, in a line."""
        start = f"from nothing ({self.config})" if self.config else f"from {self.init}"
        return (
            f"{start}, {steps:,} steps of {self.batch * self.accumulate} rows, {self.optimizer} at {self.rate:g}, "
            f"{self.schedule}, learning {'every token' if self.learn == 'all' else 'the replies'}"
        )


SCRATCH: dict[str, Any] = {
    "rate": 5e-3,
    "schedule": "cosine",
    "warmup": 0.02,
    "optimizer": "muon",
    "weight_decay": 0.05,
    "batch": 32,
    "dropout": 0.0,
    "learn": "all",
}
BOUNDS: dict[str, tuple[float, float]] = {
    "epochs": (0.001, 1e6),
    "steps": (1, 1e9),
    "batch": (1, 1e6),
    "accumulate": (1, 1e6),
    "rate": (1e-9, 10),
    "warmup": (0, 1),
    "decay": (0, 1),
    "weight_decay": (0, 10),
    "dropout": (0, 0.99),
    "contrast": (0, 100),
    "contrasted": (0, 1),
    "turns": (1, 100),
    "distractors": (1, 100),
    "language_weight": (0, 100),
    "choice_weight": (0, 100),
    "lora": (0, 4096),
    "lora_from": (0, 10_000),
    "average": (1, 100),
    "keep": (1, 1000),
    "evaluate_every": (1, 1e9),
    "save_every": (1, 1e9),
    "log_every": (1, 1e9),
    "seed": (0, 2**32 - 1),
}
HELP = {
    "epochs": "readings of all rows",
    "batch": "rows a process takes at once",
    "rate": "peak of the learning rate (muon's; adamw beside it takes 0.6 of it)",
    "warmup": "share of the steps that the rate rises",
    "decay": "share of the steps that `stable` falls",
    "distractors": "replies that a true one is chosen among",
    "language_weight": "of the language loss beside a choice head",
    "choice_weight": "of the choice head's loss",
    "evaluate_every": "steps between validations",
    "save_every": "steps between checkpoints",
    "log_every": "steps between lines of the log",
    "group_by_length": "batches of rows of like length",
    "weight_decay": "of matrices",
    "seed": "of every draw",
    "init": "folder, GGUF file or hub name to start from, e.g. gpt2",
    "config": f"start from nothing with this size: {', '.join(SIZES)}",
    "steps": "end after so many steps instead of epochs",
    "accumulate": "batches for one step",
    "schedule": "linear, cosine, constant, or stable (flat, then linear to 0 over the last `decay`)",
    "optimizer": "adamw, or muon (matrices of the blocks by Muon, the rest by AdamW)",
    "dropout": "-1: the model's own",
    "precision": "auto, fp32, bf16 or fp16",
    "learn": "assistant: the assistant's tokens alone; all: every token",
    "contrast": "weight of choosing the true reply among distractors by likelihood",
    "contrasted": "share of the batches in which that is learnt",
    "turns": "replies a row that get distractors",
    "double_heads": "train a choice head (GPT2DoubleHeadsModel) on the prepared choices",
    "lora": "rank of LoRA adapters instead of all weights (0: none)",
    "lora_from": "first block that gets adapters; those below are computed forwards alone, which is faster",
    "average": "average the weights of the last so many checkpoints at the end",
    "keep": "checkpoints kept",
}


def resolve(overrides: dict[str, Any]) -> Recipe:
    """A recipe from the options that were given. Raises ValueError."""
    if bool(overrides.get("init")) == bool(overrides.get("config")):
        raise ValueError("say where to start: --init FOLDER_OR_HUB_NAME, or --config " + "|".join(SIZES))
    if overrides.get("config") and overrides["config"] not in SIZES:
        raise ValueError(f"--config {overrides['config']}: there are {', '.join(SIZES)}")
    for name, (least, most) in BOUNDS.items():
        value = overrides.get(name, least)
        if not (least <= value <= most and math.isfinite(value)):
            raise ValueError(f"--{name.replace('_', '-')} {value}: from {least:g} to {most:g}")
    if overrides.get("double_heads") and overrides.get("contrast"):
        raise ValueError("--double-heads chooses by its head, --contrast by likelihood: name one of them")
    if overrides.get("lora") and (overrides.get("double_heads") or overrides.get("average", 1) > 1):
        raise ValueError("--lora goes neither with --double-heads nor with --average")
    recipe = Recipe(**{**(SCRATCH if overrides.get("config") else {}), **overrides})
    for name, allowed in {
        "precision": ("auto", "fp32", "bf16", "fp16"),
        "learn": ("assistant", "all"),
        "optimizer": ("adamw", "muon"),
        "schedule": ("linear", "cosine", "constant", "stable"),
    }.items():
        if getattr(recipe, name) not in allowed:
            raise ValueError(f"--{name} {getattr(recipe, name)}: there are {', '.join(allowed)}")
    return recipe


def load_saved(path: Path, overrides: dict[str, Any]) -> Recipe:
    """The recipe of a run that goes on. Raises ValueError for an option that was another one then."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}): start anew with another --out") from error
    for name, value in overrides.items():
        if saved.get(name) != value:
            raise ValueError(f"--{name.replace('_', '-')} {value}: this run was started with {saved.get(name)}")
    names = {f.name for f in fields(Recipe)}
    return Recipe(**{k: v for k, v in saved.items() if k in names})
