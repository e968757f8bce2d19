"""hits@1 and perplexity of a model on the views of dialogues. Knows what is counted; nothing of files or tables."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from training import scoring
from training.choosing import Sheet
from training.metrics import perplexity, wilson
from training.scoring import Memory
from training.subject import Subject


@dataclass
class Tally:
    """What one source adds up to."""

    cases: int = 0
    hits: int = 0
    choice_hits: int = 0
    known: int = 0  # cases whose true reply stands in the training data, and the hits among them
    known_hits: int = 0
    nats: float = 0.0
    tokens: int = 0
    bytes: int = 0
    left_out: int = 0  # replies longer than half of the window, behind what still fits: no perplexity

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def report(self, choice: bool) -> dict[str, Any]:
        """The figures under their names in the JSON."""
        hits: dict[str, Any] = {"hits_at_1": self.hits / self.cases if self.cases else None}
        if self.known:
            fresh = self.cases - self.known
            hits["unseen_cases"] = fresh
            hits["hits_at_1_unseen"] = (self.hits - self.known_hits) / fresh if fresh else None
            hits["hits_at_1_unseen_interval"] = wilson(self.hits - self.known_hits, fresh)
        if choice:
            hits["hits_at_1_choice"] = self.choice_hits / self.cases if self.cases else None
        return {
            "cases": self.cases,
            **hits,
            "hits_at_1_interval": wilson(self.hits, self.cases),
            "perplexity_per_token": perplexity(self.nats, self.tokens),
            "perplexity_per_byte": perplexity(self.nats, self.bytes),
            "tokens": self.tokens,
            "bytes": self.bytes,
            "left_out": self.left_out,
        }


def rank(subject: Subject, sheets: Iterable[Sheet]) -> dict[str, Tally]:
    """Every source's tally."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    for sheet in sheets:
        tallies[sheet.source] += judge(subject, sheet)
    return dict(tallies)


def judge(subject: Subject, sheet: Sheet) -> Tally:
    """One view: the perplexity of the assistant's turns, and whether its cases are hits."""
    if not sheet.texts:
        return Tally()
    read = subject.reader.read(sheet.messages)
    spans = dict(zip(sheet.texts, read.spans, strict=True))
    memory = scoring.run(subject.model, read.ids[: subject.reader.window])
    tally = _read_whole(subject, sheet, memory, read.ids, spans)
    for turn, (start, end) in spans.items():
        if end > subject.reader.window:
            tally += _read_apart(subject, sheet, turn, end - start)
    for turn in sheet.cases:
        tally += _case(subject, sheet, memory, spans[turn][0], turn)
    return tally


def _read_whole(
    subject: Subject, sheet: Sheet, memory: Memory, ids: list[int], spans: dict[int, tuple[int, int]]
) -> Tally:
    """The replies that stand within the window."""
    inside = {turn: span for turn, span in spans.items() if span[1] <= subject.reader.window}
    places = [i for span in inside.values() for i in range(*span)]
    if not places:
        return Tally()
    wanted = torch.tensor([ids[i] for i in places])
    found = scoring.nats(subject.model, memory.hidden[torch.tensor(places) - 1], wanted)
    size = sum(len(sheet.texts[turn].encode()) for turn in inside)
    return Tally(nats=float(found.double().sum()), tokens=len(places), bytes=size)


def _read_apart(subject: Subject, sheet: Sheet, turn: int, length: int) -> Tally:
    """A reply beyond the window, after what fits of its prompt."""
    if length > subject.reader.window // 2:
        return Tally(left_out=1)
    reply = subject.reader.reply(sheet.texts[turn])
    memory, at = _asked(subject, sheet, turn, len(reply))
    found = scoring.score(subject.model, memory, at, [reply]).nats
    return Tally(nats=float(found.sum()), tokens=len(reply), bytes=len(sheet.texts[turn].encode()))


def _case(subject: Subject, sheet: Sheet, memory: Memory, at: int, turn: int) -> Tally:
    """The true reply and its distractors by mean log-likelihood per token; a tie is a miss."""
    candidates = [subject.reader.reply(text) for text in (sheet.texts[turn], *sheet.cases[turn])]
    longest = max(map(len, candidates))
    if at + longest > subject.reader.window:
        memory, at = _asked(subject, sheet, turn, longest)
    scores = scoring.score(subject.model, memory, at, candidates, subject.choice)
    means = -scores.nats / torch.tensor([len(c) for c in candidates])
    chosen = scores.choice is not None and _first_is_best(scores.choice)
    hit, known = int(_first_is_best(means)), int(turn in sheet.known)
    return Tally(cases=1, hits=hit, choice_hits=int(chosen), known=known, known_hits=hit * known)


def _first_is_best(values: torch.Tensor) -> bool:
    return bool((values[0] > values[1:]).all())


def _asked(subject: Subject, sheet: Sheet, turn: int, room: int) -> tuple[Memory, int]:
    """A prompt of its own that leaves `room` tokens, and its length."""
    ids = subject.reader.prompt(sheet.before(turn), subject.reader.window - room)
    return scoring.run(subject.model, ids), len(ids)
