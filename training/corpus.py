"""All sources as one stream: read, cleaned, held out or not, shown as often as their weights say.

Every draw depends on the seed and the text alone, so a second reading gives the same. Knows no tokens.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from training import sources
from training.cleaning import Cleaner
from training.dialogue import Dialogue, Item, Message, messages, replies, sides


@dataclass(frozen=True)
class Source:
    """A source as the command line names it: adapter, weight (1.0: once an epoch), local path."""

    name: str
    weight: float = 1.0
    raw: Path | None = None


@dataclass(frozen=True)
class View:
    """What one example is made of: a text, a reading, or a dialogue with the speaker who is the assistant."""

    item: Item
    assistant: int = 1

    def messages(self, system: str) -> list[Message]:
        """The chat of a dialogue."""
        assert isinstance(self.item, Dialogue)
        return messages(self.item, self.assistant, system)


@dataclass
class Corpus:
    """The sources, the weights of the names inside them, and what is held out.

    `share` of the dialogues is held out where `held_out` names no files of their own.
    """

    sources: list[Source]
    weights: dict[str, float] = field(default_factory=dict)
    held_out: list[Source] = field(default_factory=list)
    share: float = 0.02
    seed: int = 1
    cleaner: Callable[[], Cleaner] = Cleaner

    def read(self, cleaner: Cleaner, progress: Callable[[], object] = lambda: None) -> Iterator[tuple[str, View]]:
        """Every view as ("train" | "val", view). Raises ValueError, OSError from the sources."""
        for split, source in [*(("val", s) for s in self.held_out), *(("", s) for s in self.sources)]:
            for raw in sources.read(source.name, source.raw):
                progress()
                item = cleaner.clean(raw)
                if item is not None:
                    yield from self._views(item, split or self._split(item), source.weight)

    def _split(self, item: Item) -> str:
        same = (isinstance(item, Dialogue) and item.conversation) or item.key
        drawn = random.Random(f"split {self.seed} {same}").random()
        return "val" if not self.held_out and drawn < self.share else "train"

    def _views(self, item: Item, split: str, weight: float) -> Iterator[tuple[str, View]]:
        weight *= self.weights.get(item.source, 1.0)
        for assistant in sides(item) if isinstance(item, Dialogue) else (1,):
            drawn = random.Random(f"weight {self.seed} {item.key} {assistant}").random()
            times = 1 if split == "val" else int(weight) + (drawn < weight % 1)
            yield from [(split, View(item, assistant))] * times


@dataclass
class Pool:
    """Replies drawn evenly from each source's stream (reservoir sampling, Vitter 1985), to be distractors.

    One pool a split: no reply that is held out is ever learnt to be a wrong one.
    """

    size: int = 4000
    seed: int = 1
    replies: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def offer(self, split: str, view: View) -> None:
        """Perhaps keep one reply of this view."""
        item = view.item
        if not isinstance(item, Dialogue) or not (turns := list(replies(item, view.assistant))):
            return
        rng = random.Random(f"pool {self.seed} {item.key} {view.assistant}")
        reply = (item.key, item.turns[rng.choice(turns)])
        reservoir = self.replies.setdefault((split, item.source), [])
        self.counts[split, item.source] += 1
        if len(reservoir) < self.size:
            reservoir.append(reply)
        elif (index := rng.randrange(self.counts[split, item.source])) < self.size:
            reservoir[index] = reply

    def draw(self, split: str, item: Dialogue, true: str, number: int, rng: random.Random) -> list[str]:
        """`number` different replies from other dialogues of the same source, none the true one; fewer if there are.

        A small held-out part takes what it lacks from the other one.
        """
        drawn: dict[str, str] = {}
        for part in dict.fromkeys((split, "train")):
            reservoir = self.replies.get((part, item.source), [])
            for key, text in rng.sample(reservoir, min(len(reservoir), 8 * number)):
                if key != item.key and _normalize(text) != _normalize(true):
                    drawn.setdefault(_normalize(text), text)
        return list(drawn.values())[:number]


def _normalize(text: str) -> str:
    return " ".join(text.lower().split())
