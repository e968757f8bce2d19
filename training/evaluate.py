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
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from prompts.atomic_file import atomic_write
from prompts.system import system_prompt
from training import decoding, evaluation_set, heldout, metrics, ranking, table
from training.command import parser, run
from training.decoding import Decoding
from training.evaluation_set import Example, HeldOutPrompt
from training.loaded_model import LoadedModel, load

OPENINGS = Path(__file__).with_name("openings.txt")
PLOTS = {".png", ".svg", ".pdf"}


def evaluate(args: argparse.Namespace) -> dict[str, Any]:
    """The report of every model, as its JSON has it. Raises ValueError, OSError."""
    settings = [decoding.parse(text) for text in args.decoding or ["default"]]
    dialogues = heldout.read_dialogues(args.data)
    examples = evaluation_set.build_examples(dialogues, args.seed, args.cases, heldout.read_dialogues(args.trained_on))
    if dialogues and not any(example.texts for example in examples):
        raise ValueError(f"{', '.join(args.data)}: no dialogue has a reply without empty turns")
    prompts = evaluation_set.sample_prompts(examples, args.seed, args.replies)
    models = [_model(name, examples, prompts, settings, args) for name in args.models]
    first = models[0]
    chosen = {
        name: getattr(args, name)
        for name in ("data", "trained_on", "cases", "replies", "max_new_tokens", "seed", "bf16")
    }
    return {"settings": chosen, "sources": first["sources"], "overall": first["overall"], "models": models}


def _model(
    name: str,
    examples: list[Example],
    prompts: dict[str, list[HeldOutPrompt]],
    settings: list[Decoding],
    args: argparse.Namespace,
) -> dict[str, Any]:
    started = time.monotonic()
    loaded = load(name, args.bf16)
    tallies = ranking.score_examples(
        loaded, tqdm(examples, desc=f"{name}: ranks", unit="view", mininterval=2, disable=not examples)
    )
    ranked = time.monotonic()
    total = sum(tallies.values(), ranking.Tally())
    replies = [_replies(loaded, prompts, setting, args) for setting in settings] if any(prompts.values()) else []
    return {
        "model": name,
        "parameters": sum(p.numel() for p in loaded.model.parameters()),
        "window": loaded.encoder.window,
        "sources": {source: tally.report(loaded.choice) for source, tally in tallies.items()},
        "overall": total.report(loaded.choice),
        "replies": replies,
        "samples": _samples(loaded, settings[0], args),
        "seconds": {"ranking": round(ranked - started, 1), "replies": round(time.monotonic() - ranked, 1)},
    }


def _replies(
    loaded: LoadedModel, prompts: dict[str, list[HeldOutPrompt]], setting: Decoding, args: argparse.Namespace
) -> Any:
    """One decoding's row: the figures of its replies, per source and of all."""
    config = decoding.generation_config(loaded, setting, args.max_new_tokens)
    every = [prompt for group in prompts.values() for prompt in group]
    generated = decoding.generate_replies(loaded, [prompt.messages for prompt in every], config, args.seed)
    bar = tqdm(generated, total=len(every), desc=f"{loaded.name}: {setting.name}", unit="reply", mininterval=2)
    pairs = list(zip(every, bar, strict=True))
    rows, first = {}, 0
    for source, group in prompts.items():
        rows[source] = _reply_metrics(pairs[first : first + len(group)])
        first += len(group)
    return {
        "decoding": setting.name,
        "draws": decoding.sampling_options(config),
        "sources": rows,
        "overall": _reply_metrics(pairs),
    }


def _reply_metrics(pairs: Sequence[tuple[HeldOutPrompt, str]]) -> dict[str, float | int | None]:
    prompts = ["\n".join(m["content"] for m in prompt.messages) for prompt, _ in pairs]
    return metrics.reply_metrics([reply for _, reply in pairs], [prompt.reference for prompt, _ in pairs], prompts)


def _samples(loaded: LoadedModel, setting: Decoding, args: argparse.Namespace) -> list[dict[str, str]]:
    """Every opening answered once, under the system prompt that ships."""
    openings = OPENINGS.read_text(encoding="utf-8").splitlines()
    system = {"role": "system", "content": system_prompt()}
    config = decoding.generation_config(loaded, setting, args.max_new_tokens)
    replies = decoding.generate_replies(
        loaded, [[system, {"role": "user", "content": o}] for o in openings], config, args.seed
    )
    return [{"prompt": o, "reply": r} for o, r in zip(openings, replies, strict=True)]


def run_evaluation(args: argparse.Namespace) -> None:
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
        with atomic_write(args.json) as part:
            part.write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
    if args.plot is not None:
        with atomic_write(args.plot) as part:
            table.plot(report, part)


def count(text: str) -> int:
    """A number of things: 0 or more."""
    if (value := int(text)) < 0:
        raise ValueError(text)
    return value


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("training.evaluate", __doc__)
    options.add_argument("models", nargs="+", metavar="MODEL", help="model folder or Hugging Face hub name")
    options.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="[SOURCE=]PATH",
        help="held-out JSON lines (.gz too), PersonaChat's .json, or any source's files",
    )
    options.add_argument(
        "--trained-on",
        nargs="+",
        default=[],
        metavar="[SOURCE=]PATH",
        help="what the models learnt from: true replies that stand in it are told apart",
    )
    options.add_argument("--json", type=Path, metavar="FILE", help="write every figure and sample there")
    options.add_argument("--plot", type=Path, metavar="FILE", help="write a .png, .svg or .pdf that compares")
    options.add_argument("--cases", type=count, metavar="N", help="rank at most N cases a source (all)")
    options.add_argument(
        "--replies", type=count, default=40, metavar="N", help="generate N replies a source (%(default)s)"
    )
    options.add_argument(
        "--decoding",
        action="append",
        metavar="HOW",
        help=f"default, greedy, or NAME=VALUE,… of {', '.join(decoding.OPTIONS)}",
    )
    options.add_argument("--max-new-tokens", type=count, default=80, metavar="N", help="of a reply (%(default)s)")
    options.add_argument("--bf16", action="store_true", help="compute in bfloat16: faster on CPUs with AMX, less exact")
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args(argv)
    return run("evaluate", lambda: run_evaluation(args))


if __name__ == "__main__":
    sys.exit(main())
