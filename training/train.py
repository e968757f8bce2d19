"""A small GPT-2 from scratch on prepared token ids, within a budget of minutes, from checkpoints.

    python -m training.train --data runs/first --out runs/first/model --minutes 90

Stopped and started again it goes on from its last checkpoint. Knows nothing of dialogues or serving.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from training.command import run


@dataclass
class Recipe:
    """Every choice that shapes the result. Rates are peaks; `minutes` is the budget of computing time."""

    layers: int = 6
    width: int = 320
    heads: int = 5
    positions: int = 1024
    dropout: float = 0.0
    batch_tokens: int = 8192
    length: int = 256
    long_every: int = 6  # every n-th batch is cut to the model's whole window instead of `length`
    muon_rate: float = 0.005
    adam_rate: float = 0.003
    weight_decay: float = 0.05
    warmup: float = 0.01
    decay: float = 0.4
    minutes: float = 100.0
    seed: int = 1


def build(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> GPT2LMHeadModel:
    """An untrained GPT-2 whose special tokens are the tokenizer's."""
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=recipe.positions, n_embd=recipe.width, n_layer=recipe.layers,
        n_head=recipe.heads, resid_pdrop=recipe.dropout, embd_pdrop=recipe.dropout, attn_pdrop=0.0,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, attn_implementation="sdpa",
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def optimizers(model: GPT2LMHeadModel, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon (Jordan 2024) for the matrices of the blocks, AdamW for embeddings, norms and biases."""
    blocks = [p for p in model.transformer.h.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if all(p is not b for b in blocks)]
    return [
        torch.optim.Muon(blocks, lr=recipe.muon_rate, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=recipe.adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def rate(progress: float, recipe: Recipe) -> float:
    """Share of the peak rate at `progress` (0..1): short warm-up, plateau, linear decay (WSD, Hu et al. 2024)."""
    if progress < recipe.warmup:
        return max(progress / recipe.warmup, 0.02)
    return min(1.0, max(0.0, (1.0 - progress) / recipe.decay))


class Stream:
    """Batches cut one after another from the passes; `position` is all that a checkpoint must keep."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.passes = [np.load(p, mmap_mode="r") for p in sorted(folder.glob("pass-*.npy"))]
        if not self.passes:
            raise ValueError(f"{folder} holds no pass-*.npy: run training.prepare first")
        self.recipe, self.position, self.step = recipe, 0, 0

    def next(self) -> torch.Tensor:
        """Token ids, (batch, length), int64."""
        self.step += 1
        long = self.recipe.long_every and self.step % self.recipe.long_every == 0
        length = self.recipe.positions if long else self.recipe.length
        which, start = divmod(self.position, min(len(p) for p in self.passes) - self.recipe.batch_tokens)
        self.position += self.recipe.batch_tokens
        rows = self.passes[which % len(self.passes)][start : start + self.recipe.batch_tokens]
        return torch.from_numpy(np.asarray(rows, dtype=np.int64)).view(-1, length)


def loss_of(model: GPT2LMHeadModel, ids: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy per token (nats) of every next token, in bfloat16."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(ids).logits[:, :-1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())


@torch.no_grad()
def validate(model: GPT2LMHeadModel, folder: Path, length: int = 256, rows: int = 256) -> float:
    """Mean loss on the first `rows` x `length` validation tokens."""
    tokens = np.load(folder / "valid.npy")[: rows * length].astype(np.int64)
    if len(tokens) < length:
        raise ValueError(f"{folder}/valid.npy has {len(tokens)} tokens, less than one row of {length}: add dialogues")
    ids = torch.from_numpy(tokens[: len(tokens) // length * length]).view(-1, length)
    model.eval()
    value = float(np.mean([loss_of(model, part).item() for part in torch.split(ids, 32)]))
    model.train()
    return value


def save(path: Path, state: dict[str, Any]) -> None:
    """Write beside, then rename: a full disk or a kill leaves the last good checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


class Run:
    """A model, its optimizers, its place in the data and the seconds spent: all that a checkpoint keeps."""

    def __init__(self, data: Path, out: Path, recipe: Recipe) -> None:
        torch.manual_seed(recipe.seed)
        self.data, self.out, self.recipe = data, out, recipe
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(data / "tokenizer")
        self.model = build(recipe, self.tokenizer).train()
        self.optimizers, self.stream = optimizers(self.model, recipe), Stream(data, recipe)
        self.peaks = [group["lr"] for optimizer in self.optimizers for group in optimizer.param_groups]
        self.spent, self.losses, self.checkpoint = 0.0, list[float](), out / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()

    @property
    def progress(self) -> float:
        """Share of the budget that is spent."""
        return self.spent / (self.recipe.minutes * 60)

    def step(self) -> None:
        """One batch forward, back, and one step of each optimizer."""
        began = time.monotonic()
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        for group, peak in zip(groups, self.peaks, strict=True):
            group["lr"] = peak * rate(self.progress, self.recipe)
        loss = loss_of(self.model, self.stream.next())
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.losses.append(loss.item())
        self.spent += time.monotonic() - began

    def keep(self) -> None:
        """Checkpoint, model folder and a line in the log with both losses."""
        state = {
            "model": self.model.state_dict(), "optimizers": [o.state_dict() for o in self.optimizers],
            "position": self.stream.position, "step": self.stream.step, "spent": self.spent,
        }  # fmt: skip
        save(self.checkpoint, state)
        finish(self.model, self.tokenizer, self.out)
        row = {
            "step": self.stream.step, "tokens": self.stream.position, "minutes": round(self.spent / 60, 2),
            "loss": round(float(np.mean(self.losses)), 4),
            "valid": round(validate(self.model, self.data, self.recipe.length), 4),
            "rate": round(rate(self.progress, self.recipe), 3),
            "tokens_per_second": round(self.stream.position / self.spent),
        }  # fmt: skip
        self.losses.clear()
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        (self.out / "recipe.json").write_text(json.dumps(asdict(self.recipe), indent=2))
        print(json.dumps(row), flush=True)

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.stream.position, self.stream.step, self.spent = state["position"], state["step"], state["spent"]
        minutes = f"{self.spent / 60:.1f} of {self.recipe.minutes} minutes spent"
        print(f"resumed at step {self.stream.step}, {minutes}", flush=True)


def train(data: Path, out: Path, recipe: Recipe, every: float = 180.0) -> None:
    """Train to the end of the budget, a checkpoint each `every` seconds. Raises OSError, ValueError."""
    out.mkdir(parents=True, exist_ok=True)
    training = Run(data, out, recipe)
    kept = training.spent
    while training.progress < 1:
        training.step()
        if training.spent - kept >= every or training.progress >= 1:
            training.keep()
            kept = training.spent


def finish(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """The model folder as Hugging Face loads it: config, weights (fp32), tokenizer with its template."""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def main(argv: list[str] | None = None) -> int:
    """Command line: each field of Recipe is an option."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--out", type=Path, required=True)
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value, help=f"({value})")
    args = vars(parser.parse_args(argv))
    data, out = args.pop("data"), args.pop("out")
    return run("train", lambda: train(data, out, Recipe(**args)))


if __name__ == "__main__":
    sys.exit(main())
