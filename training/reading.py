"""Questions about invented papers: notices, contracts, tables and letters drawn from training/reading.txt.

Of several passages one holds the answer, at any rank; the reply quotes its number. Knows no tokens and no files of
people.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from training.dialogue import Reading

FILE = Path(__file__).with_suffix(".txt")
UNANSWERED = "The files do not say."
SLOT = re.compile(r"\{(\w+?)(\d?)\}")
ENDINGS = {"txt": "", "md": "", "pdf": "page {}", "docx": "", "csv": "rows {}", "html": ""}


@dataclass(frozen=True)
class Kind:
    """One kind of paper: wordings of its text, questions with their answers, and questions that it does not answer."""

    name: str
    texts: list[str] = field(default_factory=list)
    questions: list[tuple[list[str], list[str]]] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)


@dataclass
class Paper:
    """A drawn paper: its kind, the values of its slots, its text."""

    kind: Kind
    values: dict[str, str]
    text: str


@cache
def lists() -> dict[str, list[str]]:
    """The lists of values by their names."""
    lines = (line[1:].partition(" ") for line in FILE.read_text(encoding="utf-8").splitlines() if line.startswith("@"))
    return {name: values.split(", ") for name, _, values in lines}


@cache
def kinds(path: Path = FILE) -> list[Kind]:
    """What the file describes. Raises ValueError naming a line."""
    found: list[Kind] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        key, _, rest = line.partition(": ")
        if line.startswith("["):
            found.append(Kind(line.strip("[]")))
        elif key == "P":
            found[-1].texts.append(rest.replace("\\n", "\n"))
        elif key == "Q":
            asked, _, answered = rest.partition(" => ")
            found[-1].questions.append((asked.split(" | "), answered.split(" | ")))
        elif key == "U":
            found[-1].unanswered.extend(rest.split(" | "))
        elif line.strip() and line[0] not in "#@":
            raise ValueError(f"{path.name}, line {number}: @name, [kind], P:, Q: or U: is wanted, not {line[:20]!r}")
    return found


def draw(rng: random.Random, source: str = "reading") -> Reading:
    """Some passages and questions about one of them; the same for an equal state of `rng`."""
    number = rng.choices(range(1, 9), weights=[40, 18, 14, 10, 7, 4, 3, 4])[0]
    chosen = rng.sample(kinds(), number)
    papers = [draw_paper(rng, kind) for kind in chosen]
    rank = rng.randrange(number)
    target = papers[rank]
    answered = rng.sample(target.kind.questions, min(len(target.kind.questions), rng.randint(4, 7)))
    questions = [
        (pick(rng, asked, target), cite(rng, pick(rng, answers, target), rank + 1)) for asked, answers in answered
    ]
    if rng.random() < 0.3:  # among five or six questions about one in twenty: with more it refuses what it can read
        questions.append((_unanswered(rng, papers), UNANSWERED))
    rng.shuffle(questions)
    passages = tuple(zip(draw_locations(rng, number), (paper.text for paper in papers), strict=True))
    return Reading(source, passages, tuple((as_typed(rng, asked), answer) for asked, answer in questions))


def draw_paper(rng: random.Random, kind: Kind) -> Paper:
    """A paper of this kind with values of its own."""
    values: dict[str, str] = {}
    wording = rng.choice(kind.texts)
    return Paper(kind, values, fill(rng, wording, values))


def fill(rng: random.Random, text: str, values: dict[str, str]) -> str:
    """The text with a value for each slot; what is drawn is kept in `values`, each value of a name once."""

    def value(match: re.Match[str]) -> str:
        slot = match.group()
        if slot not in values:
            drawn = draw_value(rng, match[1])
            for _ in range(20):
                if drawn not in values.values():
                    break
                drawn = draw_value(rng, match[1])
            values[slot] = drawn
        return values[slot]

    return SLOT.sub(value, text).replace("{{", "{").replace("}}", "}")


def draw_value(rng: random.Random, name: str) -> str:
    """A value of a slot. Raises KeyError for a name that has none."""
    return MADE[name](rng) if name in MADE else _any(rng, name)


def pick(rng: random.Random, wordings: list[str], paper: Paper) -> str:
    """One of the wordings that asks for nothing the paper's own wording left out."""
    usable = [each for each in wordings if {m.group() for m in SLOT.finditer(each)} <= paper.values.keys()]
    return fill(rng, rng.choice(usable or wordings), paper.values)


def cite(rng: random.Random, answer: str, rank: int) -> str:
    """The answer with the number of its passage before the last mark, or behind it."""
    answer = answer[0].upper() + answer[1:]
    body, mark = (answer[:-1], answer[-1]) if answer[-1] in ".!?" else (answer, ".")
    return f"{body} [{rank}]{mark}" if rng.random() < 0.85 else f"{body}{mark} [{rank}]"


def as_typed(rng: random.Random, question: str) -> str:
    """The question as people type it: now and then without its capital or its mark."""
    if rng.random() < 0.12:
        question = question[0].lower() + question[1:]
    return question.rstrip("?") if rng.random() < 0.1 else question


def draw_locations(rng: random.Random, number: int) -> list[str]:
    """As many places, each in a file of its own or, as often, all in one file."""
    if rng.random() < 0.5:
        return [draw_location(rng) for _ in range(number)]
    name, pages = _file_name(rng), rng.sample(range(1, 41), number)
    return [f"{name}.pdf, page {page}" for page in pages]


def draw_location(rng: random.Random) -> str:
    """A file's name, with the place in it where its kind has one."""
    ending = rng.choice(list(ENDINGS))
    place = ENDINGS[ending].format(rng.randint(1, 40))
    name = _file_name(rng)
    return f"{name}.{ending}, {place}" if place else f"{name}.{ending}"


def _file_name(rng: random.Random) -> str:
    number = rng.choice(["", "", f"-{rng.randint(1, 30)}", f" {rng.randint(2019, 2026)}"])
    return f"{_any(rng, 'file')}{number}"


def _unanswered(rng: random.Random, papers: list[Paper]) -> str:
    """A question about one of the papers that it leaves open, or about a paper that is not there."""
    if rng.random() < 0.6:
        paper = rng.choice(papers)
        return pick(rng, paper.kind.unanswered, paper)
    there = {paper.kind.name for paper in papers}
    other = draw_paper(rng, rng.choice([kind for kind in kinds() if kind.name not in there]))
    return pick(rng, rng.choice(other.kind.questions)[0], other)


def _any(rng: random.Random, name: str) -> str:
    """A value of a list. Raises KeyError where there is no such list."""
    return rng.choice(lists()[name])


def _or_nothing(rng: random.Random, text: str) -> str:
    return rng.choice(["", text])


def _time(rng: random.Random) -> str:
    hour, minute = rng.randint(6, 22), rng.choice(["00", "15", "30", "45", "10", "50"])
    return rng.choice([f"{hour}:{minute}", f"{hour % 12 or 12}:{minute} {'am' if hour < 12 else 'pm'}"])


def _price(rng: random.Random) -> str:
    amount = f"{rng.randint(2, 95)}.{rng.choice(['50', '90', '20', '00', '75'])}"
    return rng.choice([f"{amount} euros", f"${amount}", f"£{amount}", f"{rng.randint(2, 90)} euros"])


def _money(rng: random.Random) -> str:
    amount = rng.choice([f"{rng.randint(120, 990)}", f"{rng.randint(1, 90)},{rng.randint(0, 9)}00"])
    return rng.choice([f"{amount} euros", f"${amount}", f"£{amount}", f"{amount} francs"])


def _person(rng: random.Random) -> str:
    first, last = _any(rng, "first"), _any(rng, "last")
    return rng.choice([first, f"{first} {last}", f"{first} {last}", f"{rng.choice(['Mr', 'Ms', 'Dr'])} {last}"])


MADE: dict[str, Callable[[random.Random], str]] = {
    "time": _time,
    "price": _price,
    "money": _money,
    "person": _person,
    "n": lambda rng: str(rng.randint(2, 19)),
    "count": lambda rng: str(rng.randint(20, 99) if rng.random() < 0.7 else rng.randint(100, 480)),
    "crowd": lambda rng: f"{rng.randint(1, 80)},{rng.randint(100, 999)}",
    "year": lambda rng: str(rng.randint(1580, 2023)),
    "town": lambda rng: _any(rng, "begin") + _any(rng, "end"),
    "street": lambda rng: f"{rng.randint(1, 99)} {_any(rng, 'begin')}{_any(rng, 'end')} {_any(rng, 'way')}",
    "company": lambda rng: f"{_any(rng, 'last')}{rng.choice([' & Sons', ' Ltd', ' GmbH', ' Works', ''])}",
    "product": lambda rng: f"{_any(rng, 'begin')}{rng.choice('aeio')}x {rng.randint(2, 900)}",
    "code": lambda rng: f"{rng.choice('ABCDEFGHK')}{rng.randint(2, 99)}{_or_nothing(rng, f'-{rng.randint(1, 9)}')}",
    "port": lambda rng: str(rng.randint(1024, 9999)),
    "age": lambda rng: str(rng.randint(18, 30)),
    "version": lambda rng: f"{rng.randint(1, 9)}.{rng.randint(0, 20)}",
    "phone": lambda rng: f"0{rng.randint(100, 999)} {rng.randint(100000, 999999)}",
    "date": lambda rng: f"{rng.randint(1, 28)} {_any(rng, 'month')}{_or_nothing(rng, f' {rng.randint(2015, 2026)}')}",
}
