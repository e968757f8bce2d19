"""One preparation: two readings of a corpus become a tokenizer, tables of packed rows, and counts of both.

Knows no command line and no folder's layout.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from prompts.system import system_prompt
from training import store, tokenizer
from training.cleaning import Cleaner, count_table
from training.corpus import Corpus, Pool, View
from training.dialogue import Dialogue, Item, Reading, Text, replies
from training.packing import Packer, Row, split_into_pieces


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

    def read_corpus(self) -> tuple[Any, Pool, Cleaner]:
        """The tokenizer, the pool of distractors and what cleaning saw. Raises ValueError when nothing is left."""
        pool, cleaner, sample = Pool(seed=self.corpus.seed), self.corpus.cleaner(), TokenizerSample()
        bpe = tokenizer.load(self.tokenizer_name) if self.tokenizer_name else None
        for split, view in self._read(cleaner, "reading"):
            pool.offer(split, view)
            if split == "train" and not (bpe and sample.texts):
                sample.offer(view)
        self.read = sum(count["read"] for count in cleaner.counts.values())
        for line in count_table(cleaner.counts):
            print(line)
        if not sample.texts:
            raise ValueError(f"{', '.join(s.name for s in self.corpus.sources)}: nothing usable (see the table above)")
        if unknown := self.corpus.weights.keys() - cleaner.counts.keys():
            raise ValueError(f"--weight {sorted(unknown)[0]}: no such source was met (see the table above)")
        if bpe:
            return bpe, pool, cleaner
        return tokenizer.train(sample.texts, self.vocab_size, max(1024, self.max_length)), pool, cleaner

    def write(self, bpe: Any, pool: Pool, writer: store.Writer) -> None:
        """Write every row of every table. Raises ValueError where a split gets none."""
        packers: dict[tuple[str, str], Packer] = {}
        for split, view in self._read(self.corpus.cleaner(), "writing", self.read):
            key = split, view.item.source
            packer = packers.setdefault(key, Packer(self.max_length, view.item.source, self.cross))
            encoded = self._encode(bpe, view)
            for piece in split_into_pieces(encoded, self.max_length):
                self._write_rows(writer, split, packer.add(piece))
            for row in self._choice_rows(bpe, split, view, encoded, pool):
                writer.write(f"choices/{split}", row)
                self.counts[split]["choices"] += 1
        for (split, _), packer in packers.items():
            self._write_rows(writer, split, packer.flush())
        if empty := {"train", "val"} - {split for split, count in self.counts.items() if count["rows"]}:
            raise ValueError(f"no row for {', '.join(sorted(empty))}: add data, or change --val")

    def _read(self, cleaner: Cleaner, what: str, total: int | None = None) -> Iterator[tuple[str, View]]:
        with tqdm(desc=what, total=total, unit=" items", mininterval=1, disable=None) as bar:
            yield from self.corpus.read(cleaner, bar.update)

    def _encode(self, bpe: Any, view: View) -> tokenizer.Encoded:
        if isinstance(view.item, Text):
            return tokenizer.text(bpe, view.item.text)
        if isinstance(view.item, Reading):
            return tokenizer.encode_reading(bpe, view.item, self._system(view.item))
        return tokenizer.encode(bpe, view.messages(self._system(view.item)))

    def _system(self, item: Item) -> str:
        """The app's own system prompt for most, none for the rest, so that the model knows both."""
        drawn = random.Random(f"system {self.corpus.seed} {item.key}").random()
        return system_prompt() if drawn < self.system_share else ""

    def _write_rows(self, writer: store.Writer, split: str, rows: Iterator[Row]) -> None:
        for row in rows:
            writer.write(split, row)
            self.lengths[row["length"]] += 1
            learnt = sum(label >= 0 for label in row["labels"])
            self.counts[split].update(rows=1, tokens=row["length"], learnt=learnt)
            self.counts[split][f"tokens of {row['source']}"] += row["length"]

    def _choice_rows(self, bpe: Any, split: str, view: View, encoded: tokenizer.Encoded, pool: Pool) -> Iterator[Row]:
        """Replies with the distractors their source brings, or 19 drawn ones; the prompt ends with <|assistant|>."""
        item = view.item
        if not isinstance(item, Dialogue) or not (turns := list(replies(item, view.assistant))):
            return
        rng = random.Random(f"choices {self.corpus.seed} {item.key} {view.assistant}")
        longest = min(store.LONGEST_REPLY, self.max_length // 4)
        for turn in sorted(rng.sample(turns, min(self.choices, len(turns)))):
            own = item.candidates[turn] if turn < len(item.candidates) else ()
            texts = list(own) or pool.draw(split, item, item.turns[turn], 19, rng)
            start = encoded.turns[turn + (encoded.header > 0)] + 1
            prompt = encoded.ids[encoded.header : start][-(self.max_length - longest - encoded.header) :]
            every = [tokenizer.reply(bpe, text)[:longest] for text in [*texts, item.turns[turn]]]
            if texts and encoded.header < self.max_length - longest:
                ids = encoded.ids[: encoded.header] + prompt
                yield {
                    "prompt": ids,
                    "replies": every,
                    "length": len(ids) + max(map(len, every)),
                    "source": item.source,
                }


@dataclass
class TokenizerSample:
    """Texts to train a tokenizer on: the first so many characters of each source's stream, and of all."""

    source_limit: int = 40_000_000
    total_limit: int = 120_000_000
    texts: list[str] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)

    def offer(self, view: View) -> None:
        """Keep the texts of a view while its source has room."""
        item = view.item
        if self.used[item.source] < self.source_limit and self.used.total() < self.total_limit:
            new = _texts(item)
            self.texts += new
            self.used[item.source] += sum(map(len, new))


def _texts(item: Item) -> list[str]:
    """Everything that an item says."""
    if isinstance(item, Text):
        return [item.text]
    if isinstance(item, Reading):
        return [text for pair in (*item.passages, *item.questions) for text in pair]
    return [*item.turns, *(sentence for persona in item.personas for sentence in persona)]
