"""What is kept of raw dialogue, and a count of what is not, per source and reason. Knows no tokens.

A dialogue is cut before its first unusable turn and dropped when fewer than two turns are left.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from training.dialogue import Dialogue, Item, Reading, Text

PLACEHOLDER = re.compile(r"\[[^\]\n]{2,40}\]")
# A speaker's name as some corpora hide it: [User 1's name], [user 2 name], [user 1]. A drawn name restores the turn.
HIDDEN = re.compile(r"(?i)\[user ?([12])(?:'?s)?(?: name)?\]")
NAMES = [
    "Alice", "Ben", "Carla", "David", "Elena", "Frank", "Grace", "Hugo", "Ida", "Jack",
    "Karen", "Leo", "Maria", "Nick", "Olga", "Paul", "Rosa", "Sam", "Tina", "Victor",
    "Anna", "Brian", "Clara", "Daniel", "Emma", "Fred", "Gina", "Henry", "Irene", "Jonas",
    "Kate", "Liam", "Mona", "Noah", "Oscar", "Petra", "Quinn", "Ruth", "Simon", "Tom",
]  # fmt: skip
# U+FFFD, C1 controls, and UTF-8 that was read as Latin-1 ("cafÃ©", "donâ€™t"): a wrong encoding.
GARBLED = re.compile("�|[\x80-\x9f]|Ã[\x80-¿]|â€")


@dataclass
class Cleaner:
    """Cleans items one by one and remembers what it saw. Lengths are in characters and turns."""

    longest_turn: int = 600
    most_turns: int = 200
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seen: set[int] = field(default_factory=set)

    def clean(self, item: Item) -> Item | None:
        """The item as far as it is usable; None when nothing is."""
        count = self.counts[item.source]
        count["read"] += 1
        cleaned = self._dialogue(item, count) if isinstance(item, Dialogue) else self._plain(item, count)
        if cleaned is None:
            return None
        if cleaned.key in self.seen:
            count["dropped: duplicate"] += 1
            return None
        self.seen.add(cleaned.key)
        count["kept"] += 1
        return cleaned

    def _plain(self, item: Text | Reading, count: Counter[str]) -> Text | Reading | None:
        texts = [item.text] if isinstance(item, Text) else [text for pair in item.passages for text in pair]
        is_empty = not all(text.strip() for text in texts) or (isinstance(item, Reading) and not item.questions)
        reason = "empty" if is_empty else "wrong encoding" if any(map(GARBLED.search, texts)) else ""
        if reason:
            count[f"dropped: {reason}"] += 1
        return None if reason else item

    def _dialogue(self, item: Dialogue, count: Counter[str]) -> Dialogue | None:
        turns = restore_names(item.turns, item.key)
        if turns != item.turns:
            count["mended: a hidden name"] += 1
            item = replace(item, turns=turns)
        end, reason = self._usable(item.turns)
        if end < 2:
            count[f"dropped: {reason or 'one-sided'}"] += 1
            return None
        if reason:
            count[f"cut: {reason}"] += 1
        personas = tuple(tuple(s for s in p if s and not PLACEHOLDER.search(s)) for p in item.personas)
        return replace(item, turns=item.turns[:end], personas=personas, candidates=item.candidates[:end])

    def _usable(self, turns: tuple[str, ...]) -> tuple[int, str]:
        """How many turns are usable, and why no more are ("": all)."""
        for number, turn in enumerate(turns):
            if reason := self._problem(turn):
                return number, reason
            if number == self.most_turns:
                return number, f"over {self.most_turns} turns"
        return len(turns), ""

    def _problem(self, turn: str) -> str:
        if not turn.strip():
            return "empty turn"
        if len(turn) > self.longest_turn:
            return f"turn over {self.longest_turn} characters"
        if PLACEHOLDER.search(turn):
            return "placeholder"
        return "wrong encoding" if GARBLED.search(turn) else ""


def restore_names(turns: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """The turns with a drawn name for each speaker whose name is hidden, the same throughout."""
    names = random.Random(seed).sample(NAMES, 2)
    return tuple(HIDDEN.sub(lambda match: names[int(match.group(1)) - 1], turn) for turn in turns)


def count_table(counts: dict[str, Counter[str]]) -> Iterator[str]:
    """Lines of a table: one row a source, then its reasons."""
    yield f"{'source':<28}{'read':>10}{'kept':>10}"
    for source, count in sorted(counts.items()):
        yield f"{source:<28}{count['read']:>10,}{count['kept']:>10,}"
        for reason, number in sorted(count.items()):
            if reason not in ("read", "kept"):
                yield f"  {reason:<46}{number:>10,}"
