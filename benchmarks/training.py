"""Real tokens a second of training's recipe and of a plain one, taking turns in one run. Knows no trained model.

Plain ("padded fp32"): every dialogue is a row of its own, padded to the full length, fp32, transformers' GPT-2 with its
own loss, AdamW. Ours ("packed bf16"): what training.train does from nothing: dialogues packed into rows, rows of like
length together, its model, its optimizer, and the number format it chooses. The two between show what each part brings.
All read the same dialogues in batches of as many rows, without dropout; a step is collation, both passes, clipping and
the optimizer. Padding is not counted as tokens. Each figure is the median of the rounds, the ratio that of the rounds'
ratios.

Examples:
  python -m benchmarks.training
  python -m benchmarks.training --config medium --rounds 9 --data my.jsonl --json
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset
from transformers import GPT2Config
from transformers.trainer_pt_utils import LengthGroupedSampler

from benchmarks.rounds import DEVICE, Batch, Runner, run_rounds
from training import branches, hardware, optimizer, prepare, recipe, store, tokenizer, weights
from training.command import parser, require_positive, run
from training.corpus import Corpus, Source
from training.packing import IGNORED, Row
from training.preparation import Preparation


def pad_rows(rows: list[Row], length: int, pad: int) -> Batch:
    """The plain way: input_ids, attention_mask, labels (B, `length`), and each row's real tokens (B,)."""
    sizes = torch.tensor([len(row["input_ids"]) for row in rows])
    ids = torch.tensor([row["input_ids"] + [pad] * (length - len(row["input_ids"])) for row in rows])
    seen = torch.arange(length)[None] < sizes[:, None]
    return {"input_ids": ids, "attention_mask": seen.long(), "labels": ids.masked_fill(~seen, IGNORED), "tokens": sizes}


def split_row(row: Row) -> Iterator[Row]:
    """The dialogues of a packed row, each as a row of its own."""
    ids = row["input_ids"]
    starts = [i for i, position in enumerate(row["position_ids"]) if position == 0]
    yield from ({"input_ids": ids[start:end]} for start, end in pairwise([*starts, len(ids)]))


def shuffled_batches(rows: list[Row], batch: int) -> Iterator[list[Row]]:
    """Batches without end, drawn evenly."""
    rng = random.Random(1)
    while True:
        yield rng.choices(rows, k=batch)


def grouped_batches(rows: Dataset, batch: int) -> Iterator[list[Row]]:
    """Batches without end, of rows of like length, as training.train's Trainer draws them."""
    sampler = LengthGroupedSampler(batch, lengths=rows["length"][:], generator=torch.Generator().manual_seed(1))
    while True:
        order = list(sampler)
        yield from ([rows[i] for i in order[first : first + batch]] for first in range(0, len(order), batch))


def prepare_rows(args: argparse.Namespace, folder: Path) -> tuple[Dataset, Any]:
    """Packed rows and their tokenizer, by training.prepare. Raises ValueError, OSError."""
    sources = [Source("smalltalk"), Source("acquaintance")]
    corpus = Corpus([Source("dialogues", raw=args.data)] if args.data else sources, share=0.1)
    with redirect_stdout(sys.stderr):
        prepare.prepare(Preparation(corpus, max_length=args.max_length, choices=0), folder)
    return store.load(folder, "train"), tokenizer.load(str(folder / "tokenizer"))


def stock_model(args: argparse.Namespace, bpe: Any) -> Any:
    """transformers' own model of that size."""
    ends = {"bos_token_id": bpe.bos_token_id, "eos_token_id": bpe.eos_token_id, "pad_token_id": bpe.pad_token_id}
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    model = transformers.GPT2LMHeadModel(
        GPT2Config(vocab_size=len(bpe), **recipe.SIZES[args.config], **ends, **dropout)
    )
    model.loss_type = "ForCausalLM"  # what it takes anyway, but says that it was not told
    return model


def build_runners(args: argparse.Namespace, plan: recipe.Recipe, rows: Dataset, bpe: Any) -> dict[str, Runner]:
    """Each way to train by its name; those with the same rows share one model."""
    torch.manual_seed(plan.seed)
    ours, theirs = weights.initialize(plan, bpe).to(DEVICE).train(), stock_model(args, bpe).to(DEVICE).train()
    muon = optimizer.build_optimizer(ours, plan.optimizer, plan.rate, plan.weight_decay)
    adamw = torch.optim.AdamW(theirs.parameters(), lr=5e-5)
    print(hardware.check_memory(ours, plan, args.max_length), file=sys.stderr)
    # Each packed row has a dialogue or more: these are enough for every step.
    drawn = rows.shuffle(seed=1).select(range(min(len(rows), plan.batch * (args.steps * args.rounds + 1))))
    single = [dialogue for row in drawn for dialogue in split_row(row)]
    lay: dict[str, Any] = {
        "padded": lambda batch: pad_rows(batch, args.max_length, bpe.pad_token_id),
        "packed": branches.Collator(bpe.pad_token_id, plan.learn),
    }
    runners = {}
    for form in dict.fromkeys(("fp32", hardware.choose_precision(plan.precision)[0])):
        runners[f"padded {form}"] = Runner(shuffled_batches(single, plan.batch), lay["padded"], theirs, adamw, form)
        runners[f"packed {form}"] = Runner(grouped_batches(rows, plan.batch), lay["packed"], ours, muon, form)
    return runners


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """The whole report. Raises ValueError, OSError."""
    plan = recipe.resolve({"config": args.config, "batch": args.batch})
    positions = recipe.SIZES[args.config]["n_positions"]
    if args.max_length > positions:
        raise ValueError(f"--max-length {args.max_length}: --config {args.config} has {positions} positions")
    with tempfile.TemporaryDirectory() as folder:
        rows, bpe = prepare_rows(args, Path(folder) / "data")
        every = build_runners(args, plan, rows, bpe)
        run_rounds(list(every.values()), args.rounds, args.steps)
    form, why = hardware.choose_precision(plan.precision)
    ours, theirs = every[f"packed {form}"], every["padded fp32"]
    ratios = [mine / other for mine, other in zip(ours.rates, theirs.rates, strict=True)]
    return {
        "device": torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "config": args.config,
        "parameters": sum(p.numel() for p in ours.model.parameters()),
        "max_length": args.max_length,
        "batch": plan.batch,
        "steps": args.steps,
        "precision": f"{form}: {why}",
        "recipes": {name: runner.report() for name, runner in every.items()},
        "ratios": [round(ratio, 2) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 2),
    }


def text(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines of text."""
    yield (
        f"{report['config']}, {report['parameters']:,} parameters, batches of {report['batch']} rows of at most "
        f"{report['max_length']} tokens, {report['device']}, {report['threads']} threads; {report['precision']}"
    )
    yield f"{'':<14}{'real tokens/s':>14}{'padding':>10}{'times plain':>13}"
    base = report["recipes"]["padded fp32"]["tokens_per_second"]
    for name, row in report["recipes"].items():
        rate = row["tokens_per_second"]
        yield f"{name:<14}{rate:>14,.0f}{row['padding']:>10.1%}{rate / base:>13.2f}"
    span = f"{min(report['ratios'])} to {max(report['ratios'])}"
    yield f"training's recipe against the plain one: {report['ratio']} times ({span} in {len(report['ratios'])} rounds)"


def work(args: argparse.Namespace) -> None:
    """Measure, and print the report. Raises ValueError, OSError."""
    require_positive(args, "rounds", "steps")
    report = benchmark(args)
    print(json.dumps(report, indent=2) if args.json else "\n".join(text(report)))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("benchmarks.training", __doc__)
    options.add_argument("--config", default="small", choices=recipe.SIZES, help="the model's size (%(default)s)")
    options.add_argument("--rounds", type=int, default=5, help="of each way to train (%(default)s)")
    options.add_argument("--steps", type=int, default=4, help="in a round (%(default)s)")
    options.add_argument("--batch", type=int, default=recipe.SCRATCH["batch"], help="rows (%(default)s)")
    options.add_argument("--max-length", type=int, default=256, help="tokens in a row (%(default)s)")
    options.add_argument("--data", type=Path, help="dialogues (JSONL) instead of the small talk of this project")
    options.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    args = options.parse_args(argv)
    return run("benchmark", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
