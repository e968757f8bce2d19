"""Which replies are judged, and against which others: drawn with a seed, the same for every model.

Knows dialogues; no tokens and no model.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from training.dialogue import Dialogue, Message, messages, replies, sides

DISTRACTORS = 19


@dataclass
class Example:
    """One view of a dialogue, and for each turn that is a case the distractors that stand against it."""

    source: str
    messages: list[Message]
    texts: dict[int, str]  # of the assistant, by turn
    answers: list[int]  # turns that answer something
    offset: int  # what stands in `messages` before the first turn
    cases: dict[int, tuple[str, ...]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)  # cases whose true reply stands word for word in the training data

    def prompt(self, turn: int) -> list[Message]:
        """The prompt that `turn` answers."""
        return self.messages[: self.offset + turn]


@dataclass(frozen=True)
class HeldOutPrompt:
    """A held-out prompt, and how a person answered it."""

    messages: list[Message]
    reference: str


def build_examples(
    dialogues: Sequence[Dialogue], seed: int, limit: int | None = None, trained_on: Iterable[Dialogue] = ()
) -> list[Example]:
    """Every view of every dialogue without an empty turn, with at most `limit` cases a source."""
    seen_turns = {_normalize(turn) for dialogue in trained_on for turn in dialogue.turns}
    usable = [d for d in dialogues if d.turns and all(turn.strip() for turn in d.turns)]
    pools = _pools(usable)
    examples: list[Example] = []
    answers: dict[str, list[tuple[Example, int, Dialogue, int]]] = defaultdict(list)
    for number, one in enumerate(usable):
        for assistant in sides(one):
            example = _build_example(one, assistant)
            examples.append(example)
            answers[one.source] += [(example, number, one, turn) for turn in example.answers]
    for source, possible in answers.items():
        possible = [p for p in possible if _brought_distractors(p[2], p[3]) != ()]
        if limit is not None and limit < len(possible):
            possible = random.Random(f"{seed} cases {source}").sample(possible, limit)
        for example, number, one, turn in possible:
            against = _brought_distractors(one, turn)
            against = against or _draw_distractors(pools[source], number, one.turns[turn], _rng(seed, one, turn))
            if against:
                example.cases[turn] = against
                example.seen |= {turn} if _normalize(one.turns[turn]) in seen_turns else set()
    return examples


def sample_prompts(examples: Sequence[Example], seed: int, count: int) -> dict[str, list[HeldOutPrompt]]:
    """At most `count` prompts a source, drawn from every turn that answers something."""
    points: dict[str, list[tuple[Example, int]]] = defaultdict(list)
    for example in examples:
        points[example.source] += [(example, turn) for turn in example.answers]
    return {
        source: [
            HeldOutPrompt(example.prompt(turn), example.texts[turn])
            for example, turn in random.Random(f"{seed} replies {source}").sample(every, min(count, len(every)))
        ]
        for source, every in points.items()
        if every
    }


def _build_example(dialogue: Dialogue, assistant: int) -> Example:
    view = messages(dialogue, assistant)
    texts = {i: turn for i, turn in enumerate(dialogue.turns) if i % 2 == assistant}
    offset = len(view) - len(dialogue.turns)
    return Example(dialogue.source, view, texts, list(replies(dialogue, assistant)), offset)


def _brought_distractors(dialogue: Dialogue, turn: int) -> tuple[str, ...] | None:
    """The distractors that a source brought for a turn; () where it brought some, but none here."""
    return dialogue.candidates[turn] if dialogue.candidates else None


def _pools(dialogues: Iterable[Dialogue]) -> dict[str, list[tuple[int, str]]]:
    """Per source, every turn that answers something, with the number of its dialogue."""
    pools: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for number, dialogue in enumerate(dialogues):
        turns = sorted(turn for assistant in sides(dialogue) for turn in replies(dialogue, assistant))
        pools[dialogue.source] += [(number, dialogue.turns[turn]) for turn in turns]
    return pools


def _draw_distractors(pool: list[tuple[int, str]], own: int, true: str, rng: random.Random) -> tuple[str, ...] | None:
    """19 different texts from other dialogues, none equal to `true`; None where there are not so many."""
    for size in (min(4 * DISTRACTORS, len(pool)), len(pool)):
        seen, drawn = {_normalize(true)}, []
        for number, text in rng.sample(pool, size):
            if number != own and (normalized := _normalize(text)) not in seen:
                seen.add(normalized)
                drawn.append(text)
            if len(drawn) == DISTRACTORS:
                return tuple(drawn)
    return None


def _normalize(text: str) -> str:
    return " ".join(text.lower().split())


def _rng(seed: int, dialogue: Dialogue, turn: int) -> random.Random:
    return random.Random(f"{seed} {dialogue.source} {dialogue.key} {turn}")
