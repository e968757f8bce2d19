"""Small talk of an assistant that has a persona: facts are drawn from lists, asked for, compared and remembered.

The wordings and the values stand in `persona_talk.txt`. As values are many and drawn blindly, only reading the persona
gives the right answer. Knows no tokens, no files of data and no weights of a mix.
"""

import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from training.dialogue import Dialogue

FILE = Path(__file__).with_name("persona_talk.txt")
SLOT = re.compile(r"\{(a )?([A-Za-z]+)(\*?)\}")
KEYS = set("PUANFEMS=~-CynoQBH")

OPENINGS = (
    ("Hi! | Hello! | hey | Hi there! | hello | Good day!", "Hi there! How are you? | Hello! How is your day going?"),
    ("Hey, how are you? | hi how are you | How are you?", "I'm doing well, thanks! And you? | I'm fine, thank you!"),
    ("Good morning!", "Good morning! How are you today? | Good morning to you, too!"),
    ("Nice to meet you. | It's nice to meet you!", "Nice to meet you, too! | Hello! It's nice to meet you, too."),
)
ABOUT = "Tell me about yourself. | tell me something about you | What should I know about you?"
PARTINGS = "Thanks, bye! | bye | Goodbye! | It was nice talking to you. | I have to go now. | ok, see you later"
FAREWELLS = "It was nice talking to you. Goodbye! | Bye, take care! | See you soon! | Goodbye, have a great day!"


@dataclass(frozen=True)
class Fact:
    """What can be said about one thing; `group`: of its facts a persona states one at most."""

    name: str
    group: str
    lines: dict[str, tuple[str, ...]]

    @cached_property
    def slots(self) -> tuple[str, ...]:
        """Every slot that the wordings name, the persona's first sentence first."""
        texts = " ".join(text for key in sorted(self.lines) for text in self.lines[key])
        return tuple(dict.fromkeys(m[1].lower() for m in SLOT.findall(self.lines["P"][0] + texts)))


@dataclass(frozen=True)
class Grammar:
    """The values of every slot and the facts, by name."""

    values: dict[str, tuple[str, ...]]
    facts: dict[str, Fact]


@cache
def grammar(path: Path = FILE) -> Grammar:
    """Read the file. Raises ValueError naming file and line for one that is neither list, fact nor wording."""
    values: dict[str, list[str]] = defaultdict(list)
    facts: dict[str, Fact] = {}
    found: dict[str, dict[str, list[str]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        key, _, rest = line.partition(" ")
        if key.startswith("@"):
            values[key[1:]] += rest.split(", ")
        elif line.startswith("["):
            name, _, group = line.strip("[]").partition(": ")
            found[name] = defaultdict(list)
            facts[name] = Fact(name, group or name, {})
        elif facts and key[:-1] in KEYS and key.endswith(":"):
            found[next(reversed(found))][key[:-1]] += _wordings(rest)
        else:
            raise ValueError(f"{path}, line {number}: {line!r} is no list, fact or wording; see the file's head")
    whole = {n: Fact(n, f.group, {k: tuple(w) for k, w in found[n].items()}) for n, f in facts.items()}
    return Grammar({slot: tuple(dict.fromkeys(listed)) for slot, listed in values.items()}, whole)


def _wordings(text: str) -> list[str]:
    return [wording.strip() for wording in text.split(" | ")]


def fill(wording: str, values: dict[str, str]) -> str:
    """The wording with its slots filled. Raises KeyError for a slot without value."""

    def value(slot: re.Match[str]) -> str:
        article, name, star = slot.groups()
        text = values[name.lower() + star]
        if article:
            text = f"{'an' if text[0] in 'aeiou' else 'a'} {text}"
        begins = slot.start() == 0 or wording[: slot.start()].endswith((". ", "! ", "? "))
        return text[0].upper() + text[1:] if name[0].isupper() or begins else text

    return SLOT.sub(value, wording)


@dataclass
class _Talk:
    """A dialogue in the making: what the persona states, what the user told, what was asked back."""

    rng: random.Random
    values: dict[str, dict[str, str]]
    sentences: list[str] = field(default_factory=list)
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    turns: list[str] = field(default_factory=list)
    met: set[tuple[str, str]] = field(default_factory=set)
    open: str = ""

    def say(self, user: str, assistant: str) -> None:
        """One exchange; the user may first answer what the assistant has just asked back."""
        before = ""
        if self.open and self.rng.random() < 0.35 and self.new("told", self.open):
            before = self.tell(self.open, asked=True) + " "
        self.open = ""
        self.turns += [before + _typed(user, self.rng), assistant]

    def new(self, kind: str, fact: str) -> bool:
        """Whether this is the first time; it is remembered."""
        seen = (kind, fact) in self.met
        self.met.add((kind, fact))
        return not seen

    def tell(self, name: str, asked: bool) -> str:
        """The user's sentence about his own value, which differs from the persona's 8 times in 10."""
        fact = grammar().facts[name]
        self.told[name] = self.other(fact, same=self.rng.random() < 0.2)
        short = asked and "S" in fact.lines and self.rng.random() < 0.5
        return _ended(self.pick(fact, "S" if short else "M", self.told[name]))

    def other(self, fact: Fact, same: bool = False) -> dict[str, str]:
        """The user's values of a fact's slots, keys with a star; the persona's own where `same`."""
        own = self.values.get(fact.name, {})
        return {f"{s}*": own[s] if same and own else _drawn(s, self.rng, own.get(s)) for s in fact.slots}

    def pick(self, fact: Fact, key: str, others: dict[str, str] | None = None) -> str:
        """A wording of the fact, filled."""
        return fill(self.rng.choice(fact.lines[key]), {**self.values.get(fact.name, {}), **(others or {})})

    def against(self, fact: Fact, others: dict[str, str], keys: str) -> str:
        """The key among `keys` for: the same value, another one, none stated."""
        own = self.values.get(fact.name)
        if own is None:
            return keys[2]
        return keys[0] if others[f"{fact.slots[0]}*"] == own[fact.slots[0]] else keys[1]


def draw(rng: random.Random) -> Dialogue:
    """One dialogue: a persona of 3-6 facts, 2-7 exchanges; the same for an equal state of `rng`."""
    talk = _Talk(rng, _persona(rng))
    facts = grammar().facts
    talk.sentences = [fill(rng.choice(facts[name].lines["P"]), own) for name, own in talk.values.items()]
    talk.sentences = [s[0].upper() + s[1:] for s in talk.sentences]
    if rng.random() < 0.12:  # as in old persona corpora
        talk.sentences = [s.lower() for s in talk.sentences]
    wanted = 2 * rng.randint(2, 7)
    if rng.random() < 0.35:
        talk.say(*(rng.choice(_wordings(side)) for side in rng.choice(OPENINGS)))
    while len(talk.turns) < wanted:
        _exchange(talk)
    del talk.turns[wanted:]
    if wanted > 4 and rng.random() < 0.12:
        talk.turns[-2:] = [rng.choice(_wordings(PARTINGS)), rng.choice(_wordings(FAREWELLS))]
    return Dialogue("acquaintance", tuple(talk.turns), ((), tuple(talk.sentences)))


def _persona(rng: random.Random) -> dict[str, dict[str, str]]:
    """Facts in the order of their sentences, with the persona's values."""
    facts, chosen = grammar().facts, dict[str, dict[str, str]]()
    wanted, taken = rng.randint(3, 6), set[str]()
    for name in rng.sample(sorted(facts), len(facts)):
        if len(chosen) == wanted:
            break
        own = {slot: _drawn(slot, rng) for slot in facts[name].slots}
        # No owner of a dog who is afraid of dogs: facts do not share words, nor a group.
        words = {word.lower().rstrip("s") for value in own.values() for word in value.split() if len(word) > 2}
        words.add(f"[{facts[name].group}]")
        if not words & taken:
            taken |= words
            chosen[name] = own
    return chosen


def _drawn(slot: str, rng: random.Random, but: str | None = None) -> str:
    values = grammar().values[slot]
    value = rng.choice(values)
    return value if value != but else values[(values.index(value) + 1) % len(values)]


def _exchange(talk: _Talk) -> None:
    """One of the ways a conversation goes on; it may turn out to have been done already and adds nothing then."""
    rng = talk.rng
    kinds = [_asked, _checked, _told, _unstated, _recalled, _unknown, _about]
    if talk.open and rng.random() < 0.4 and talk.new("told", talk.open):
        _tell(talk, talk.open, asked=True)
    else:
        rng.choices(kinds, weights=[10, 4, 2.5, 2.5, 3, 0.7, 0.6])[0](talk)


def _asked(talk: _Talk) -> None:
    name = talk.rng.choice(list(talk.values))
    fact = grammar().facts[name]
    if not talk.new("asked", name):
        return
    answer = talk.pick(fact, "A")
    talk.say(talk.pick(fact, "U"), answer)
    talk.open = name if answer.endswith("?") and "M" in fact.lines else ""
    if "F" in fact.lines and talk.rng.random() < 0.35:
        talk.open = ""
        talk.say(talk.pick(fact, "F"), talk.pick(fact, "E"))


def _checked(talk: _Talk) -> None:
    stated = talk.rng.random() < 0.8
    fact = talk.rng.choice([f for f in _facts(talk, stated) if "C" in f.lines and (stated or "o" in f.lines)] or [None])
    if fact is None or not talk.new("checked", fact.name):
        return
    others = talk.other(fact, same=talk.rng.random() < 0.5)
    talk.say(talk.pick(fact, "C", others), talk.pick(fact, talk.against(fact, others, "yno"), others))


def _told(talk: _Talk) -> None:
    name = talk.rng.choice([f.name for f in _facts(talk, talk.rng.random() < 0.6) if "M" in f.lines] or [""])
    if name and talk.new("told", name):
        _tell(talk, name, asked=False)


def _tell(talk: _Talk, name: str, asked: bool) -> None:
    """The user tells his own, and it is compared with the persona's."""
    fact, talk.open = grammar().facts[name], ""
    told = talk.tell(name, asked)
    talk.say(told, talk.pick(fact, talk.against(fact, talk.told[name], "=~-"), talk.told[name]))


def _unstated(talk: _Talk) -> None:
    fact = talk.rng.choice([f for f in _facts(talk, False) if "N" in f.lines])
    if talk.new("asked", fact.name):
        answer = talk.pick(fact, "N")
        talk.say(talk.pick(fact, "U"), answer)
        talk.open = fact.name if answer.endswith("?") else ""


def _recalled(talk: _Talk) -> None:
    name = talk.rng.choice([n for n in talk.told if "Q" in grammar().facts[n].lines] or [""])
    if name and talk.new("recalled", name):
        fact = grammar().facts[name]
        talk.say(talk.pick(fact, "Q"), talk.pick(fact, "B", talk.told[name]))


def _unknown(talk: _Talk) -> None:
    """The user asks for what he has not told."""
    fact = talk.rng.choice([f for f in grammar().facts.values() if "H" in f.lines and f.name not in talk.told])
    talk.open = ""
    if talk.new("told", fact.name) and talk.new("recalled", fact.name):
        talk.say(talk.pick(fact, "Q"), talk.pick(fact, "H"))
        _tell(talk, fact.name, asked=True)
        talk.met.discard(("recalled", fact.name))


def _about(talk: _Talk) -> None:
    if talk.new("about", ""):
        said = [s[0].upper() + s[1:] for s in talk.rng.sample(talk.sentences, 2)]
        talk.say(talk.rng.choice(_wordings(ABOUT)), re.sub(r"\bi\b", "I", " ".join(said)))


def _facts(talk: _Talk, stated: bool) -> list[Fact]:
    """The facts that the persona states; or those of groups of which it states none."""
    facts = grammar().facts
    if stated:
        return [facts[name] for name in talk.values]
    groups = {facts[name].group for name in talk.values}
    return [fact for fact in facts.values() if fact.group not in groups]


def _ended(text: str) -> str:
    return text if text[-1] in ".!?" else f"{text}."


def _typed(text: str, rng: random.Random) -> str:
    """The text as people type: sometimes without capitals, sometimes without the last mark."""
    if rng.random() < 0.35:
        text = text.lower().replace("'", "" if rng.random() < 0.3 else "'")
    return text.rstrip(".?!") if rng.random() < 0.3 else text
