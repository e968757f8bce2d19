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
    wordings: dict[str, dict[str, list[str]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        key, _, rest = line.partition(" ")
        if key.startswith("@"):
            values[key[1:]] += rest.split(", ")
        elif line.startswith("["):
            name, _, group = line.strip("[]").partition(": ")
            wordings[name] = defaultdict(list)
            facts[name] = Fact(name, group or name, {})
        elif facts and key[:-1] in KEYS and key.endswith(":"):
            wordings[next(reversed(wordings))][key[:-1]] += _wordings(rest)
        else:
            raise ValueError(f"{path}, line {number}: {line!r} is no list, fact or wording; see the file's head")
    all_facts = {n: Fact(n, f.group, {k: tuple(w) for k, w in wordings[n].items()}) for n, f in facts.items()}
    return Grammar({slot: tuple(dict.fromkeys(listed)) for slot, listed in values.items()}, all_facts)


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
class _Builder:
    """A dialogue in the making: what the persona states, what the user told, what was asked back."""

    rng: random.Random
    values: dict[str, dict[str, str]]
    sentences: list[str] = field(default_factory=list)
    user_values: dict[str, dict[str, str]] = field(default_factory=dict)
    turns: list[str] = field(default_factory=list)
    done: set[tuple[str, str]] = field(default_factory=set)
    asked_back: str = ""

    def add_exchange(self, user: str, assistant: str) -> None:
        """One exchange; the user may first answer what the assistant has just asked back."""
        before = ""
        if self.asked_back and self.rng.random() < 0.35 and self.mark_first("told", self.asked_back):
            before = self.state_own(self.asked_back, answering=True) + " "
        self.asked_back = ""
        self.turns += [before + _as_typed(user, self.rng), assistant]

    def mark_first(self, kind: str, fact: str) -> bool:
        """Whether this is the first time; it is remembered."""
        seen = (kind, fact) in self.done
        self.done.add((kind, fact))
        return not seen

    def state_own(self, name: str, answering: bool) -> str:
        """The user's sentence about his own value, which differs from the persona's 8 times in 10."""
        fact = grammar().facts[name]
        self.user_values[name] = self.user_slots(fact, same=self.rng.random() < 0.2)
        short = answering and "S" in fact.lines and self.rng.random() < 0.5
        return _end_sentence(self.wording(fact, "S" if short else "M", self.user_values[name]))

    def user_slots(self, fact: Fact, same: bool = False) -> dict[str, str]:
        """The user's values of a fact's slots, keys with a star; the persona's own where `same`."""
        own = self.values.get(fact.name, {})
        return {f"{s}*": own[s] if same and own else _draw_value(s, self.rng, own.get(s)) for s in fact.slots}

    def wording(self, fact: Fact, key: str, others: dict[str, str] | None = None) -> str:
        """A wording of the fact, filled."""
        return fill(self.rng.choice(fact.lines[key]), {**self.values.get(fact.name, {}), **(others or {})})

    def compare(self, fact: Fact, others: dict[str, str], keys: str) -> str:
        """The key among `keys` for: the same value, another one, none stated."""
        own = self.values.get(fact.name)
        if own is None:
            return keys[2]
        return keys[0] if others[f"{fact.slots[0]}*"] == own[fact.slots[0]] else keys[1]


def draw(rng: random.Random) -> Dialogue:
    """One dialogue: a persona of 3-6 facts, 2-7 exchanges; the same for an equal state of `rng`."""
    talk = _Builder(rng, _persona(rng))
    facts = grammar().facts
    talk.sentences = [fill(rng.choice(facts[name].lines["P"]), own) for name, own in talk.values.items()]
    talk.sentences = [s[0].upper() + s[1:] for s in talk.sentences]
    if rng.random() < 0.12:  # as in old persona corpora
        talk.sentences = [s.lower() for s in talk.sentences]
    length = 2 * rng.randint(2, 7)
    if rng.random() < 0.35:
        talk.add_exchange(*(rng.choice(_wordings(side)) for side in rng.choice(OPENINGS)))
    while len(talk.turns) < length:
        _exchange(talk)
    del talk.turns[length:]
    if length > 4 and rng.random() < 0.12:
        talk.turns[-2:] = [rng.choice(_wordings(PARTINGS)), rng.choice(_wordings(FAREWELLS))]
    return Dialogue("acquaintance", tuple(talk.turns), ((), tuple(talk.sentences)))


def _persona(rng: random.Random) -> dict[str, dict[str, str]]:
    """Facts in the order of their sentences, with the persona's values."""
    facts, chosen = grammar().facts, dict[str, dict[str, str]]()
    count, taken = rng.randint(3, 6), set[str]()
    for name in rng.sample(sorted(facts), len(facts)):
        if len(chosen) == count:
            break
        own = {slot: _draw_value(slot, rng) for slot in facts[name].slots}
        # No owner of a dog who is afraid of dogs: facts do not share words, nor a group.
        stems = {word.lower().rstrip("s") for value in own.values() for word in value.split() if len(word) > 2}
        stems.add(f"[{facts[name].group}]")
        if not stems & taken:
            taken |= stems
            chosen[name] = own
    return chosen


def _draw_value(slot: str, rng: random.Random, but: str | None = None) -> str:
    values = grammar().values[slot]
    value = rng.choice(values)
    return value if value != but else values[(values.index(value) + 1) % len(values)]


def _exchange(talk: _Builder) -> None:
    """One of the ways a conversation goes on; it may turn out to have been done already and adds nothing then."""
    rng = talk.rng
    kinds = [_ask_stated, _check_value, _volunteer, _ask_unstated, _recall, _ask_unknown, _introduce]
    if talk.asked_back and rng.random() < 0.4 and talk.mark_first("told", talk.asked_back):
        _tell_and_compare(talk, talk.asked_back, answering=True)
    else:
        rng.choices(kinds, weights=[10, 4, 2.5, 2.5, 3, 0.7, 0.6])[0](talk)


def _ask_stated(talk: _Builder) -> None:
    name = talk.rng.choice(list(talk.values))
    fact = grammar().facts[name]
    if not talk.mark_first("asked", name):
        return
    answer = talk.wording(fact, "A")
    talk.add_exchange(talk.wording(fact, "U"), answer)
    talk.asked_back = name if answer.endswith("?") and "M" in fact.lines else ""
    if "F" in fact.lines and talk.rng.random() < 0.35:
        talk.asked_back = ""
        talk.add_exchange(talk.wording(fact, "F"), talk.wording(fact, "E"))


def _check_value(talk: _Builder) -> None:
    stated = talk.rng.random() < 0.8
    fact = talk.rng.choice([f for f in _facts(talk, stated) if "C" in f.lines and (stated or "o" in f.lines)] or [None])
    if fact is None or not talk.mark_first("checked", fact.name):
        return
    others = talk.user_slots(fact, same=talk.rng.random() < 0.5)
    talk.add_exchange(talk.wording(fact, "C", others), talk.wording(fact, talk.compare(fact, others, "yno"), others))


def _volunteer(talk: _Builder) -> None:
    name = talk.rng.choice([f.name for f in _facts(talk, talk.rng.random() < 0.6) if "M" in f.lines] or [""])
    if name and talk.mark_first("told", name):
        _tell_and_compare(talk, name, answering=False)


def _tell_and_compare(talk: _Builder, name: str, answering: bool) -> None:
    """The user tells his own, and it is compared with the persona's."""
    fact, talk.asked_back = grammar().facts[name], ""
    sentence = talk.state_own(name, answering)
    talk.add_exchange(
        sentence, talk.wording(fact, talk.compare(fact, talk.user_values[name], "=~-"), talk.user_values[name])
    )


def _ask_unstated(talk: _Builder) -> None:
    fact = talk.rng.choice([f for f in _facts(talk, False) if "N" in f.lines])
    if talk.mark_first("asked", fact.name):
        answer = talk.wording(fact, "N")
        talk.add_exchange(talk.wording(fact, "U"), answer)
        talk.asked_back = fact.name if answer.endswith("?") else ""


def _recall(talk: _Builder) -> None:
    name = talk.rng.choice([n for n in talk.user_values if "Q" in grammar().facts[n].lines] or [""])
    if name and talk.mark_first("recalled", name):
        fact = grammar().facts[name]
        talk.add_exchange(talk.wording(fact, "Q"), talk.wording(fact, "B", talk.user_values[name]))


def _ask_unknown(talk: _Builder) -> None:
    """The user asks for what he has not told."""
    fact = talk.rng.choice([f for f in grammar().facts.values() if "H" in f.lines and f.name not in talk.user_values])
    talk.asked_back = ""
    if talk.mark_first("told", fact.name) and talk.mark_first("recalled", fact.name):
        talk.add_exchange(talk.wording(fact, "Q"), talk.wording(fact, "H"))
        _tell_and_compare(talk, fact.name, answering=True)
        talk.done.discard(("recalled", fact.name))


def _introduce(talk: _Builder) -> None:
    if talk.mark_first("about", ""):
        sentences = [s[0].upper() + s[1:] for s in talk.rng.sample(talk.sentences, 2)]
        talk.add_exchange(talk.rng.choice(_wordings(ABOUT)), re.sub(r"\bi\b", "I", " ".join(sentences)))


def _facts(talk: _Builder, stated: bool) -> list[Fact]:
    """The facts that the persona states; or those of groups of which it states none."""
    facts = grammar().facts
    if stated:
        return [facts[name] for name in talk.values]
    groups = {facts[name].group for name in talk.values}
    return [fact for fact in facts.values() if fact.group not in groups]


def _end_sentence(text: str) -> str:
    return text if text[-1] in ".!?" else f"{text}."


def _as_typed(text: str, rng: random.Random) -> str:
    """The text as people type: sometimes without capitals, sometimes without the last mark."""
    if rng.random() < 0.35:
        text = text.lower().replace("'", "" if rng.random() < 0.3 else "'")
    return text.rstrip(".?!") if rng.random() < 0.3 else text
