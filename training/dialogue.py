"""Dialogues as the model is taught them: who speaks, under which system prompt, what is dropped.

Reads files and cleans; knows nothing of tokens.
"""

import gzip
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

Message = dict[str, str]
SMALLTALK = Path(__file__).with_name("smalltalk.txt")
PLACEHOLDER = re.compile(r"\[[^\]]{2,40}\]")


@dataclass(frozen=True)
class Dialogue:
    """Turns of two alternating speakers; `personas` describe the first and the second."""

    source: str
    turns: tuple[str, ...]
    personas: tuple[tuple[str, ...], ...] = ()


@dataclass
class Mix:
    """How often a dialogue of each source is shown in one pass (1.0: once), and the longest turn in characters."""

    weights: dict[str, float] = field(
        default_factory=lambda: {
            "self-dialogue": 0.75,
            "synthetic-persona-chat": 5.0,
            "topical-chat": 1.0,
            "dolly": 0.5,
            "rasbt-instructions": 2.0,
            "chatterbot-corpus": 3.0,
            "taskmaster-4": 0.3,
            "schema-guided-dialogue": 0.15,
            "smalltalk": 1.0,
        }
    )
    longest: int = 600


def _open(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")


def load(path: Path) -> Iterator[Dialogue]:
    """Dialogues of a JSONL file, plain or gzipped. Raises ValueError naming file and line."""
    with _open(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                personas = tuple(tuple(p) for p in row.get("personas", ()))
                yield Dialogue(row["source"], tuple(t.strip() for t in row["turns"]), personas)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise ValueError(f"{path}, line {number}: not a dialogue ({error!r})") from error


def smalltalk(copies: int, rng: random.Random, path: Path = SMALLTALK) -> Iterator[Dialogue]:
    """`copies` dialogues drawn from each block of the small-talk file."""
    text = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    blocks = [[line[2:].split(" | ") for line in block.splitlines()] for block in text.split("\n\n") if block.strip()]
    for block in blocks:
        for _ in range(copies):
            yield Dialogue("smalltalk", tuple(rng.choice(options).strip() for options in block))


def clean(dialogue: Dialogue, longest: int) -> Dialogue | None:
    """The dialogue up to its first unusable turn (empty, over-long, with a placeholder); None when too short."""
    kept: list[str] = []
    for turn in dialogue.turns:
        if not turn or len(turn) > longest or PLACEHOLDER.search(turn):
            break
        kept.append(turn)
    return Dialogue(dialogue.source, tuple(kept), dialogue.personas) if len(kept) >= 2 else None


def messages(dialogue: Dialogue, system: str, rng: random.Random) -> list[Message]:
    """One view of a dialogue: the speaker who becomes the assistant is drawn, the system prompt is its persona."""
    two_sided = dialogue.source in {"self-dialogue", "synthetic-persona-chat", "topical-chat"}
    assistant = 1 if not two_sided or rng.random() < 0.65 else 0
    view: list[Message] = []
    if len(dialogue.personas) == 2:
        view.append({"role": "system", "content": " ".join(dialogue.personas[assistant])})
    elif rng.random() < 0.7:
        view.append({"role": "system", "content": system})
    for i, turn in enumerate(dialogue.turns):
        view.append({"role": "assistant" if i % 2 == assistant else "user", "content": turn})
    return view


def one_pass(dialogues: list[Dialogue], mix: Mix, rng: random.Random) -> list[Dialogue]:
    """One weighted, shuffled pass: a weight of 2.3 shows a dialogue twice, and a third time for 3 of 10."""
    shown: list[Dialogue] = []
    for dialogue in dialogues:
        weight = mix.weights.get(dialogue.source, 1.0)
        shown += [dialogue] * (int(weight) + (rng.random() < weight % 1))
    rng.shuffle(shown)
    return shown
