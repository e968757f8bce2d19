"""Raw dialogue to packed rows of token ids: read, clean, split, weigh, tokenise, pack. Knows no model.

Examples:
  python -m training.prepare --source dialogues --raw my.jsonl --out runs/mine
  python -m training.prepare --source personachat:2 --source cornell:1 --raw cornell=movie-corpus/ --out runs/films
  python -m training.prepare --source shipped --max-length 512 --out runs/shipped
"""

import argparse
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from prompts.persona import OWN
from prompts.system import system_prompt
from training import card, sources, store, tokenizer
from training.cleaning import Cleaner, table
from training.command import parser, run
from training.corpus import Corpus, Pool, Source, View
from training.dialogue import Dialogue, Text, replies
from training.packing import Packer, Row, pieces


@dataclass
class Preparation:
    """One run: what is read, how it is cut, and what was counted. Lengths are in tokens."""

    corpus: Corpus
    tokenizer_name: str | None = None
    vocab_size: int = 8192
    max_length: int = 256
    cross: bool = False
    choices: int = 1
    system_share: float = 0.7
    read: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lengths: Counter[int] = field(default_factory=Counter)

    def first_reading(self) -> tuple[Any, Pool, Cleaner]:
        """The tokenizer, the pool of distractors and what cleaning saw. Raises ValueError when nothing is left."""
        pool, cleaner, sample = Pool(seed=self.corpus.seed), self.corpus.cleaner(), Sample()
        made = tokenizer.load(self.tokenizer_name) if self.tokenizer_name else None
        for split, view in self._read(cleaner, "reading"):
            pool.offer(split, view)
            if split == "train" and not (made and sample.texts):
                sample.offer(view)
        self.read = sum(count["read"] for count in cleaner.counts.values())
        for line in table(cleaner.counts):
            print(line)
        if not sample.texts:
            raise ValueError(f"{', '.join(s.name for s in self.corpus.wanted)}: nothing usable (see the table above)")
        if unknown := self.corpus.weights.keys() - cleaner.counts.keys():
            raise ValueError(f"--weight {sorted(unknown)[0]}: no such source was met (see the table above)")
        if made:
            return made, pool, cleaner
        return tokenizer.train(sample.texts, self.vocab_size, max(1024, self.max_length)), pool, cleaner

    def write(self, made: Any, pool: Pool, writer: store.Writer) -> None:
        """Every row of every table."""
        packers: dict[tuple[str, str], Packer] = {}
        for split, view in self._read(self.corpus.cleaner(), "writing", self.read):
            key = split, view.item.source
            packer = packers.setdefault(key, Packer(self.max_length, view.item.source, self.cross))
            encoded = self._encode(made, view)
            for piece in pieces(encoded, self.max_length):
                self._keep(writer, split, packer.add(piece))
            for row in self._choices(made, split, view, encoded, pool):
                writer.write(f"choices/{split}", row)
                self.counts[split]["choices"] += 1
        for (split, _), packer in packers.items():
            self._keep(writer, split, packer.rest())
        if empty := {"train", "val"} - {split for split, count in self.counts.items() if count["rows"]}:
            raise ValueError(f"no row for {', '.join(sorted(empty))}: add data, or change --val")

    def _read(self, cleaner: Cleaner, what: str, total: int | None = None) -> Iterator[tuple[str, View]]:
        with tqdm(desc=what, total=total, unit=" items", mininterval=1, disable=None) as bar:
            yield from self.corpus.read(cleaner, bar.update)

    def _encode(self, made: Any, view: View) -> tokenizer.Encoded:
        if isinstance(view.item, Text):
            return tokenizer.text(made, view.item.text)
        return tokenizer.encode(made, view.messages(self._system(view.item)))

    def _system(self, item: Dialogue) -> str:
        """The app's own system prompt for most, none for the rest, so that the model knows both."""
        drawn = random.Random(f"system {self.corpus.seed} {item.key}").random()
        return system_prompt() if drawn < self.system_share else ""

    def _keep(self, writer: store.Writer, split: str, rows: Iterator[Row]) -> None:
        for row in rows:
            writer.write(split, row)
            self.lengths[row["length"]] += 1
            learnt = sum(label >= 0 for label in row["labels"])
            self.counts[split].update(rows=1, tokens=row["length"], learnt=learnt)
            self.counts[split][f"tokens of {row['source']}"] += row["length"]

    def _choices(self, made: Any, split: str, view: View, encoded: tokenizer.Encoded, pool: Pool) -> Iterator[Row]:
        """Replies with the distractors their source brings, or 19 drawn ones; the prompt ends with <|assistant|>."""
        item = view.item
        if isinstance(item, Text) or not (turns := list(replies(item, view.assistant))):
            return
        rng = random.Random(f"choices {self.corpus.seed} {item.key} {view.assistant}")
        longest = min(store.LONGEST_REPLY, self.max_length // 4)
        for turn in sorted(rng.sample(turns, min(self.choices, len(turns)))):
            brought = item.candidates[turn] if turn < len(item.candidates) else ()
            texts = list(brought) or pool.draw(split, item, item.turns[turn], 19, rng)
            start = encoded.turns[turn + (encoded.header > 0)] + 1
            prompt = encoded.ids[encoded.header : start][-(self.max_length - longest - encoded.header) :]
            every = [tokenizer.reply(made, text)[:longest] for text in [*texts, item.turns[turn]]]
            if texts and encoded.header < self.max_length - longest:
                told = encoded.ids[: encoded.header] + prompt
                yield {
                    "prompt": told, "replies": every, "length": len(told) + max(map(len, every)), "source": item.source
                }  # fmt: skip


@dataclass
class Sample:
    """Texts to train a tokenizer on: the first so many characters of each source's stream, and of all."""

    room: int = 40_000_000
    whole: int = 120_000_000
    texts: list[str] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)

    def offer(self, view: View) -> None:
        """Keep the texts of a view while its source has room."""
        item = view.item
        if self.used[item.source] < self.room and self.used.total() < self.whole:
            new = [item.text] if isinstance(item, Text) else [*item.turns, *(s for p in item.personas for s in p)]
            self.texts += new
            self.used[item.source] += sum(map(len, new))


def prepare(preparation: Preparation, out: Path) -> dict[str, Any]:
    """Everything into `out`, which is complete or untouched; returns the card. Raises ValueError, OSError."""
    with store.written(out) as (part, writer):
        made, pool, cleaner = preparation.first_reading()
        made.save_pretrained(part / "tokenizer")
        preparation.write(made, pool, writer)
        writer.finish()
        told = card.describe(preparation, cleaner.counts, len(made))
        card.write(part, told, preparation.lengths)
    return told


def source(text: str) -> Source:
    """`NAME` or `NAME:WEIGHT`."""
    name, _, weight = text.partition(":")
    sources.module(name)
    return Source(name, _number("--source", text, weight or "1"))


def pair(text: str) -> tuple[str, str]:
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


def corpus(args: argparse.Namespace) -> Corpus:
    """The corpus that the options name. Raises ValueError."""
    if args.max_length < 16:
        raise ValueError(f"--max-length {args.max_length}: at least 16 tokens")
    if not 0 < args.val < 1 and not args.held_out:
        raise ValueError(f"--val {args.val}: a share above 0 and below 1, or name a --held-out file")
    if not 260 < args.vocab_size <= 200_000:
        raise ValueError(f"--vocab-size {args.vocab_size}: from 261 (bytes and special tokens) to 200,000")
    if not 0 <= args.choices <= 100:
        raise ValueError(f"--choices {args.choices}: from 0 to 100 replies a dialogue")
    wanted, raw = [source(s) for s in args.source], dict(pair(r) for r in args.raw)
    if "" in raw and len(wanted) > 1:
        raise ValueError(f"--raw {raw['']}: of several sources, say which: --raw NAME=PATH")
    if stray := set(raw) - {""} - {s.name for s in wanted}:
        raise ValueError(f"--raw {sorted(stray)[0]}=…: no such --source")
    paths = {s.name: raw.get(s.name, raw.get("")) for s in wanted}
    for path in filter(None, paths.values()):
        if args.out.resolve().is_relative_to(Path(path).resolve()):
            raise ValueError(f"--out {args.out} lies in {path}, which is read: name a folder elsewhere")
    wanted = [Source(s.name, s.weight, Path(p) if (p := paths[s.name]) else None) for s in wanted]
    weights = {w: float(v) for s in wanted for w, v in getattr(sources.module(s.name), "WEIGHTS", {}).items()}
    weights |= {name: _number("--weight", f"{name}={value}", value) for name, value in map(pair, args.weight)}
    held = [Source("dialogues", raw=Path(p)) for p in args.held_out]
    return Corpus(wanted, weights, held, args.val, args.seed, lambda: Cleaner(args.longest_turn))


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    options = parser("training.prepare", __doc__)
    options.add_argument("--source", action="append", required=True, metavar="NAME[:WEIGHT]",
                         help=f"repeatable; one of {', '.join(sources.names())}")  # fmt: skip
    options.add_argument("--raw", action="append", default=[], metavar="[NAME=]PATH", help="local copy of a source")
    options.add_argument("--weight", action="append", default=[], metavar="NAME=WEIGHT",
                         help="of a name inside a source (the `source` of a line of dialogues)")  # fmt: skip
    options.add_argument("--out", type=Path, required=True, help="folder to write, replaced when all is written")
    options.add_argument("--val", type=float, default=0.02, help="share of the dialogues held out (%(default)s)")
    options.add_argument("--held-out", action="append", default=[], metavar="PATH", help="JSONL held out instead")
    options.add_argument("--tokenizer", help="folder or hub name, e.g. gpt2; without it one is trained")
    options.add_argument("--vocab-size", type=int, default=8192, help="of a trained tokenizer (%(default)s)")
    options.add_argument("--max-length", type=int, default=256, help="tokens in a row (%(default)s)")
    options.add_argument("--cross", action="store_true", help="let dialogues in a row see what came before them")
    options.add_argument("--choices", type=int, default=1, help="replies a dialogue with distractors (%(default)s)")
    options.add_argument("--longest-turn", type=int, default=600, help="characters (%(default)s)")
    options.add_argument("--personas", type=Path, nargs="?", const=OWN, metavar="FOLDER",
                         help=f"also write every persona met as a text file ({OWN})")  # fmt: skip
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args(argv)
    return run("prepare", lambda: work(args))


def work(args: argparse.Namespace) -> None:
    """What the command does."""
    asked = corpus(args)
    made = Preparation(asked, args.tokenizer, args.vocab_size, args.max_length, args.cross, args.choices)
    told = prepare(made, args.out)
    for split, count in told["splits"].items():
        print(f"{split}: {count['rows']:,} rows, {count['tokens']:,} tokens, {count['learnt']:,} of them learnt")
    if args.personas:
        from training import personas

        dialogues = (v.item for _, v in asked.read(asked.cleaner()) if isinstance(v.item, Dialogue))
        print(f"{personas.draw(dialogues, args.personas):,} personas in {args.personas}")


if __name__ == "__main__":
    sys.exit(main())
