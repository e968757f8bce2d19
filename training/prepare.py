"""Raw dialogue to packed rows of token ids: read, clean, split, weigh, tokenise, pack. Knows no model.

Examples:
  python -m training.prepare --source dialogues --raw my.jsonl --out runs/mine
  python -m training.prepare --source personachat:2 --source cornell:1 --raw cornell=movie-corpus/ --out runs/films
  python -m training.prepare --source shipped --max-length 512 --out runs/shipped
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from prompts.persona import USER_FOLDER
from training import dataset_card, sources, store
from training.cleaning import Cleaner
from training.command import parser, run
from training.corpus import Corpus, Source
from training.dialogue import Dialogue
from training.preparation import Preparation


def prepare(preparation: Preparation, out: Path) -> dict[str, Any]:
    """The card of what is written to `out`, which is complete or untouched. Raises ValueError, OSError."""
    with store.atomic_folder(out) as (part, writer):
        bpe, pool, cleaner = preparation.read_corpus()
        bpe.save_pretrained(part / "tokenizer")
        preparation.write(bpe, pool, writer)
        writer.finish()
        card = dataset_card.describe(preparation, cleaner.counts, len(bpe))
        dataset_card.write(part, card, preparation.lengths)
    return card


def parse_source(text: str) -> Source:
    """`NAME` or `NAME:WEIGHT`."""
    name, _, weight = text.partition(":")
    sources.module(name)
    return Source(name, _number("--source", text, weight or "1"))


def parse_pair(text: str) -> tuple[str, str]:
    """`NAME=VALUE`; without `=` the value alone."""
    name, equals, value = text.partition("=")
    return (name, value) if equals else ("", text)


def _number(option: str, text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise ValueError(f"{option} {text}: {value!r} is no number") from error
    if not 0 <= number < 1000:
        raise ValueError(f"{option} {text}: a weight is from 0 to below 1,000")
    return number


def parse_corpus(args: argparse.Namespace) -> Corpus:
    """The corpus that the options name. Raises ValueError."""
    if args.max_length < 16:
        raise ValueError(f"--max-length {args.max_length}: at least 16 tokens")
    if not 0 < args.val < 1 and not args.held_out:
        raise ValueError(f"--val {args.val}: a share above 0 and below 1, or name a --held-out file")
    if not 260 < args.vocab_size <= 200_000:
        raise ValueError(f"--vocab-size {args.vocab_size}: from 261 (bytes and special tokens) to 200,000")
    if not 0 <= args.choices <= 100:
        raise ValueError(f"--choices {args.choices}: from 0 to 100 replies a dialogue")
    chosen, raw = [parse_source(s) for s in args.source], dict(parse_pair(r) for r in args.raw)
    if "" in raw and len(chosen) > 1:
        raise ValueError(f"--raw {raw['']}: of several sources, say which: --raw NAME=PATH")
    if stray := set(raw) - {""} - {s.name for s in chosen}:
        raise ValueError(f"--raw {sorted(stray)[0]}=…: no such --source")
    paths = {s.name: raw.get(s.name, raw.get("")) for s in chosen}
    for path in filter(None, paths.values()):
        if args.out.resolve().is_relative_to(Path(path).resolve()):
            raise ValueError(f"--out {args.out} lies in {path}, which is read: name a folder elsewhere")
    chosen = [Source(s.name, s.weight, Path(p) if (p := paths[s.name]) else None) for s in chosen]
    weights = {w: float(v) for s in chosen for w, v in getattr(sources.module(s.name), "WEIGHTS", {}).items()}
    weights |= {name: _number("--weight", f"{name}={value}", value) for name, value in map(parse_pair, args.weight)}
    held = [Source("dialogues", raw=Path(p)) for p in args.held_out]
    return Corpus(chosen, weights, held, args.val, args.seed, lambda: Cleaner(args.longest_turn))


def main(argv: list[str] | None = None) -> int:
    """The exit status of the command: 0, or 2 where an option or a file is wrong."""
    options = parser("training.prepare", __doc__)
    options.add_argument(
        "--source",
        action="append",
        required=True,
        metavar="NAME[:WEIGHT]",
        help=f"repeatable; one of {', '.join(sources.names())}",
    )
    options.add_argument("--raw", action="append", default=[], metavar="[NAME=]PATH", help="local copy of a source")
    options.add_argument(
        "--weight",
        action="append",
        default=[],
        metavar="NAME=WEIGHT",
        help="of a name inside a source (the `source` of a line of dialogues)",
    )
    options.add_argument("--out", type=Path, required=True, help="folder to write, replaced when all is written")
    options.add_argument("--val", type=float, default=0.02, help="share of the dialogues held out (%(default)s)")
    options.add_argument("--held-out", action="append", default=[], metavar="PATH", help="JSONL held out instead")
    options.add_argument("--tokenizer", help="folder or hub name, e.g. gpt2; without it one is trained")
    options.add_argument("--vocab-size", type=int, default=8192, help="of a trained tokenizer (%(default)s)")
    options.add_argument("--max-length", type=int, default=256, help="tokens in a row (%(default)s)")
    options.add_argument("--cross", action="store_true", help="let dialogues in a row see what came before them")
    options.add_argument("--choices", type=int, default=1, help="replies a dialogue with distractors (%(default)s)")
    options.add_argument("--longest-turn", type=int, default=600, help="characters (%(default)s)")
    options.add_argument(
        "--personas",
        type=Path,
        nargs="?",
        const=USER_FOLDER,
        metavar="FOLDER",
        help=f"also write every persona met as a text file ({USER_FOLDER})",
    )
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args(argv)
    return run("prepare", lambda: work(args))


def work(args: argparse.Namespace) -> None:
    """Prepare, print the counts, and write personas where they are asked for. Raises ValueError, OSError."""
    corpus = parse_corpus(args)
    preparation = Preparation(corpus, args.tokenizer, args.vocab_size, args.max_length, args.cross, args.choices)
    card = prepare(preparation, args.out)
    for split, count in card["splits"].items():
        print(f"{split}: {count['rows']:,} rows, {count['tokens']:,} tokens, {count['learnt']:,} of them learnt")
    if args.personas:
        from training import personas

        dialogues = (v.item for _, v in corpus.read(corpus.cleaner()) if isinstance(v.item, Dialogue))
        print(f"{personas.write_personas(dialogues, args.personas):,} personas in {args.personas}")


if __name__ == "__main__":
    sys.exit(main())
