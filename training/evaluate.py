"""Models against held-out dialogues and against each other: hits@1/20, perplexity, and the replies they give.

Examples:
  python -m training.evaluate models/default --data dialogues.valid.jsonl.gz --json out.json
  python -m training.evaluate runs/first/model runs/second/model --data valid.jsonl --cases 500 --plot out.png
  python -m training.evaluate models/default --data valid.jsonl --cases 0 --decoding default --decoding greedy \\
      --decoding temperature=0.7,top_p=0.9,top_k=50,repetition_penalty=1.1
  python -m training.evaluate models/default            (only the answers to training/openings.txt)

hits@1/20: the true reply to every turn against 19 of other dialogues of its source, by mean log-likelihood per token
with the reply's end, after the full prompt; a tie is a miss. Perplexity: of the assistant's turns with their ends, each
person of a human dialogue being the assistant once. The JSON's `sources` and `overall` are the first model's; `models`
has every one. transformers' repetition penalty covers the prompt too.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from prompts.system import system_prompt
from training import choosing, decoding, heldout, metrics, ranking, table
from training.choosing import Asked, Sheet
from training.command import parser, run
from training.decoding import Decoding
from training.subject import Subject, load

OPENINGS = Path(__file__).with_name("openings.txt")
PLOTS = {".png", ".svg", ".pdf"}


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """The whole report. Raises ValueError, OSError."""
    settings = [decoding.parse(text) for text in args.decoding or ["default"]]
    dialogues = heldout.read(args.data)
    sheets = choosing.sheets(dialogues, args.seed, args.cases, heldout.read(args.trained_on))
    if dialogues and not any(sheet.texts for sheet in sheets):
        raise ValueError(f"{', '.join(args.data)}: no dialogue has a reply without empty turns")
    prompts = choosing.asked(sheets, args.seed, args.replies)
    models = [_model(name, sheets, prompts, settings, args) for name in args.models]
    first = models[0]
    chosen = {
        name: getattr(args, name)
        for name in ("data", "trained_on", "cases", "replies", "max_new_tokens", "seed", "bf16")
    }
    return {"settings": chosen, "sources": first["sources"], "overall": first["overall"], "models": models}


def _model(
    name: str, sheets: list[Sheet], prompts: dict[str, list[Asked]], settings: list[Decoding], args: argparse.Namespace
) -> dict[str, Any]:
    started = time.monotonic()
    subject = load(name, args.bf16)
    tallies = ranking.rank(subject, tqdm(sheets, desc=f"{name}: ranks", unit="view", mininterval=2, disable=not sheets))
    ranked = time.monotonic()
    total = sum(tallies.values(), ranking.Tally())
    replies = [_replies(subject, prompts, one, args) for one in settings] if any(prompts.values()) else []
    return {
        "model": name,
        "parameters": sum(p.numel() for p in subject.model.parameters()),
        "window": subject.reader.window,
        "sources": {source: tally.report(subject.choice) for source, tally in tallies.items()},
        "overall": total.report(subject.choice),
        "replies": replies,
        "samples": _samples(subject, settings[0], args),
        "seconds": {"ranking": round(ranked - started, 1), "replies": round(time.monotonic() - ranked, 1)},
    }


def _replies(subject: Subject, prompts: dict[str, list[Asked]], one: Decoding, args: argparse.Namespace) -> Any:
    """One decoding's row: the figures of its replies, per source and of all."""
    config = decoding.settings(subject, one, args.max_new_tokens)
    every = [asked for group in prompts.values() for asked in group]
    made = decoding.reply(subject, [asked.messages for asked in every], config, args.seed)
    bar = tqdm(made, total=len(every), desc=f"{subject.name}: {one.name}", unit="reply", mininterval=2)
    found = list(zip(every, bar, strict=True))
    rows, first = {}, 0
    for source, group in prompts.items():
        rows[source] = _figures(found[first : first + len(group)])
        first += len(group)
    return {"decoding": one.name, "draws": decoding.shown(config), "sources": rows, "overall": _figures(found)}


def _figures(found: Sequence[tuple[Asked, str]]) -> dict[str, float | int | None]:
    shown = ["\n".join(m["content"] for m in asked.messages) for asked, _ in found]
    return metrics.describe([reply for _, reply in found], [asked.wanted for asked, _ in found], shown)


def _samples(subject: Subject, one: Decoding, args: argparse.Namespace) -> list[dict[str, str]]:
    """Every opening answered once, under the system prompt that ships."""
    openings = OPENINGS.read_text(encoding="utf-8").splitlines()
    system = {"role": "system", "content": system_prompt()}
    config = decoding.settings(subject, one, args.max_new_tokens)
    replies = decoding.reply(subject, [[system, {"role": "user", "content": o}] for o in openings], config, args.seed)
    return [{"prompt": o, "reply": r} for o, r in zip(openings, replies, strict=True)]


def work(args: argparse.Namespace) -> None:
    """Evaluate, print, write."""
    for path in (args.json, args.plot):
        if path is not None and not path.absolute().parent.is_dir():
            raise FileNotFoundError(f"{path.parent} does not exist: make the folder that {path.name} is to stand in")
    if args.plot is not None and args.plot.suffix not in PLOTS:
        raise ValueError(f"{args.plot}: a plot is {', '.join(sorted(PLOTS))}")
    report = evaluate(args)
    print(table.text(report))
    if args.cases is not None:
        print(f"\nhits@1 over at most {args.cases:,} cases a source, drawn with seed {args.seed}.")
    if args.json is not None:
        part = args.json.with_name(args.json.name + ".part")
        part.write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
        os.replace(part, args.json)
    if args.plot is not None:
        part = args.plot.with_name(f"{args.plot.stem}.part{args.plot.suffix}")
        table.plot(report, part)
        os.replace(part, args.plot)


def count(text: str) -> int:
    """A number of things: 0 or more."""
    if (value := int(text)) < 0:
        raise ValueError(text)
    return value


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    options = parser("training.evaluate", __doc__)
    options.add_argument("models", nargs="+", metavar="MODEL", help="model folder or Hugging Face hub name")
    options.add_argument("--data", nargs="+", default=[], metavar="[SOURCE=]PATH",
                         help="held-out JSON lines (.gz too), PersonaChat's .json, or any source's files")  # fmt: skip
    options.add_argument("--trained-on", nargs="+", default=[], metavar="[SOURCE=]PATH",
                         help="what the models learnt from: true replies that stand in it are told apart")  # fmt: skip
    options.add_argument("--json", type=Path, metavar="FILE", help="write every figure and sample there")
    options.add_argument("--plot", type=Path, metavar="FILE", help="write a .png, .svg or .pdf that compares")
    options.add_argument("--cases", type=count, metavar="N", help="rank at most N cases a source (all)")
    options.add_argument(
        "--replies", type=count, default=40, metavar="N", help="generate N replies a source (%(default)s)"
    )
    options.add_argument("--decoding", action="append", metavar="HOW",
                         help=f"default, greedy, or NAME=VALUE,… of {', '.join(decoding.KNOBS)}")  # fmt: skip
    options.add_argument("--max-new-tokens", type=count, default=80, metavar="N", help="of a reply (%(default)s)")
    options.add_argument("--bf16", action="store_true", help="compute in bfloat16: faster on CPUs with AMX, less exact")
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args(argv)
    return run("evaluate", lambda: work(args))


if __name__ == "__main__":
    sys.exit(main())
