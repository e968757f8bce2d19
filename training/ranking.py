"""hits@1 and perplexity of a model on the views of dialogues. Knows what is counted; nothing of files or tables."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from training import scoring
from training.evaluation_set import Example
from training.loaded_model import LoadedModel
from training.metrics import perplexity, wilson
from training.scoring import Prefill


@dataclass
class Tally:
    """Counts and sums over the examples of one source. `nats`: -log p over `tokens` tokens, which are `bytes` long."""

    cases: int = 0
    hits: int = 0
    choice_hits: int = 0
    seen: int = 0  # cases whose true reply stands in the training data, and the hits among them
    seen_hits: int = 0
    nats: float = 0.0
    tokens: int = 0
    bytes: int = 0
    left_out: int = 0  # replies longer than half of the window, behind what still fits: no perplexity

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def report(self, choice: bool) -> dict[str, Any]:
        """The figures under their names in the JSON."""
        hits: dict[str, Any] = {"hits_at_1": self.hits / self.cases if self.cases else None}
        if self.seen:
            fresh = self.cases - self.seen
            hits["unseen_cases"] = fresh
            hits["hits_at_1_unseen"] = (self.hits - self.seen_hits) / fresh if fresh else None
            hits["hits_at_1_unseen_interval"] = wilson(self.hits - self.seen_hits, fresh)
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


def score_examples(loaded: LoadedModel, examples: Iterable[Example]) -> dict[str, Tally]:
    """The tally of each source, by its name."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    for example in examples:
        tallies[example.source] += score_example(loaded, example)
    return dict(tallies)


def score_example(loaded: LoadedModel, example: Example) -> Tally:
    """The tally of one example: the perplexity of the assistant's turns, and whether its cases are hits."""
    if not example.texts:
        return Tally()
    read = loaded.encoder.encode_dialogue(example.messages)
    spans = dict(zip(example.texts, read.spans, strict=True))
    prefix = scoring.prefill(loaded.model, read.ids[: loaded.encoder.window])
    tally = _score_within_window(loaded, example, prefix, read.ids, spans)
    for turn, (start, end) in spans.items():
        if end > loaded.encoder.window:
            tally += _score_beyond_window(loaded, example, turn, end - start)
    for turn in example.cases:
        tally += _rank_reply(loaded, example, prefix, spans[turn][0], turn)
    return tally


def _score_within_window(
    loaded: LoadedModel, example: Example, prefix: Prefill, ids: list[int], spans: dict[int, tuple[int, int]]
) -> Tally:
    """The replies that stand within the window."""
    inside = {turn: span for turn, span in spans.items() if span[1] <= loaded.encoder.window}
    places = [i for span in inside.values() for i in range(*span)]
    if not places:
        return Tally()
    targets = torch.tensor([ids[i] for i in places])
    losses = scoring.nats(loaded.model, prefix.hidden[torch.tensor(places) - 1], targets)
    size = sum(len(example.texts[turn].encode()) for turn in inside)
    return Tally(nats=float(losses.double().sum()), tokens=len(places), bytes=size)


def _score_beyond_window(loaded: LoadedModel, example: Example, turn: int, length: int) -> Tally:
    """A reply beyond the window, after what fits of its prompt."""
    if length > loaded.encoder.window // 2:
        return Tally(left_out=1)
    reply = loaded.encoder.encode_reply(example.texts[turn])
    prefix, at = _prefill_prompt(loaded, example, turn, len(reply))
    losses = scoring.score(loaded.model, prefix, at, [reply]).nats
    return Tally(nats=float(losses.sum()), tokens=len(reply), bytes=len(example.texts[turn].encode()))


def _rank_reply(loaded: LoadedModel, example: Example, prefix: Prefill, at: int, turn: int) -> Tally:
    """The true reply and its distractors by mean log-likelihood per token; a tie is a miss."""
    candidates = [loaded.encoder.encode_reply(text) for text in (example.texts[turn], *example.cases[turn])]
    longest = max(map(len, candidates))
    if at + longest > loaded.encoder.window:
        prefix, at = _prefill_prompt(loaded, example, turn, longest)
    scores = scoring.score(loaded.model, prefix, at, candidates, loaded.choice)
    means = -scores.nats / torch.tensor([len(c) for c in candidates])
    chosen = scores.choice is not None and _first_is_best(scores.choice)
    hit, seen = int(_first_is_best(means)), int(turn in example.seen)
    return Tally(cases=1, hits=hit, choice_hits=int(chosen), seen=seen, seen_hits=hit * seen)


def _first_is_best(values: torch.Tensor) -> bool:
    return bool((values[0] > values[1:]).all())


def _prefill_prompt(loaded: LoadedModel, example: Example, turn: int, room: int) -> tuple[Prefill, int]:
    """A prompt of its own that leaves `room` tokens, and its length."""
    ids = loaded.encoder.encode_prompt(example.prompt(turn), loaded.encoder.window - room)
    return scoring.prefill(loaded.model, ids), len(ids)
