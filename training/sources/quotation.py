"""Questions by rule about real sentences: plain texts of one's own, whose sentences are quoted as the answers.

Knows no grammar beyond capital letters, years and marks; every answer is a sentence that stands there.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

from training.dialogue import Reading
from training.reading import UNANSWERED, as_typed, cite, draw_locations
from training.sources import text
from training.sources._files import require_items

LICENCE = "the owner's"
SENTENCE = re.compile(r"(?<=[.!?])[\"”]?\s+(?=[A-Z“\"])")
YEAR = re.compile(r"\b(?:in|since|until|of) (1[5-9]\d\d|20[0-2]\d)\b", re.IGNORECASE)
NAME = re.compile(r"(?<=[a-z,] )([A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})*)")
SUBJECT = re.compile(r"^((?:The )?[A-Z][a-z]+(?: [A-Z][a-z]+)+) (was|is|were|are) ")
WHOLE = re.compile(r"^[^\"“”]*(?<! Mr| Ms| St| Dr|Mrs| vs)[.!?]$")  # no speech, no abbreviation at its end
SHORTEST, LONGEST = 30, 170  # characters of a sentence that is quoted
PASSAGE = 420  # characters of a passage, about


def read(raw: Path | None) -> Iterator[Reading]:
    """Readings of every text of a file or folder. Raises ValueError naming file and line, OSError."""
    rng = random.Random(1)
    passages = [passage for item in text.read(raw) for passage in _passages(item.text)]
    rng.shuffle(passages)
    yield from require_items("quotation", _readings(passages, rng), raw)


def _passages(plain_text: str) -> Iterator[list[str]]:
    """Runs of whole sentences of some PASSAGE characters, none across a blank line."""
    for paragraph in re.split(r"\n\s*\n", plain_text):
        run: list[str] = []
        for sentence in SENTENCE.split(" ".join(paragraph.split())):
            if run and len(" ".join([*run, sentence])) > PASSAGE:
                yield run
                run = []
            run.append(sentence)
        if len(run) > 1:
            yield run


def _readings(passages: list[list[str]], rng: random.Random) -> Iterator[Reading]:
    while passages:
        number = min(rng.choices([1, 2, 3, 4], weights=[4, 3, 2, 1])[0], len(passages))
        chosen, passages = passages[:number], passages[number:]
        rank = rng.randrange(number)
        others = " ".join(" ".join(each) for i, each in enumerate(chosen) if i != rank)
        found = [(q, a) for q, a in _questions(chosen[rank], rng) if not _is_named(q, others)]
        if not found:
            continue
        asked = [(q, cite(rng, a, rank + 1)) for q, a in rng.sample(found, min(3, len(found)))]
        everything = others + " ".join(chosen[rank])
        strange = [q for q, _ in _questions(passages[0], rng) if not _is_named(q, everything)] if passages else []
        if strange and rng.random() < 0.2:
            asked.append((rng.choice(strange), UNANSWERED))
        located = tuple(zip(draw_locations(rng, number), (" ".join(each) for each in chosen), strict=True))
        yield Reading("quotation", located, tuple((as_typed(rng, q), a) for q, a in asked))


def _questions(sentences: list[str], rng: random.Random) -> Iterator[tuple[str, str]]:
    """A question for each sentence that a rule fits and no other sentence of the passage answers too."""
    for sentence in sentences:
        if not SHORTEST <= len(sentence) <= LONGEST or not WHOLE.search(sentence):
            continue
        rest = " ".join(each for each in sentences if each is not sentence)
        if (match := SUBJECT.match(sentence)) and match[1] not in rest:
            asked = (
                f"What {match[2]} {match[1]}?" if match[1].startswith("The ") else f"Who or what {match[2]} {match[1]}?"
            )
            yield asked, sentence
        elif (match := YEAR.search(sentence)) and match[1] not in rest:
            yield rng.choice([f"What happened in {match[1]}?", f"What is said about the year {match[1]}?"]), sentence
        elif (match := NAME.search(sentence)) and match[1] not in rest:
            name = match[1]
            yield rng.choice([f"What is said about {name}?", f"What does the text say of {name}?"]), sentence


def _is_named(question: str, text: str) -> bool:
    """Whether what a question asks about stands in a text."""
    return any(word in text for word in re.findall(r"\b[A-Z][a-z]{2,}\b|\b\d{4}\b", question[5:]))
