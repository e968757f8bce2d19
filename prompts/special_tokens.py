"""The special tokens of one vocabulary, found in text by one compiled pattern: where a text spells one, and its pieces.

Knows no template, no model and no ids.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

DEEPEST = 40  # letters at which a pattern branches, one in the other: Python's own compiler of patterns recurses
NOTHING = r"[^\s\S]"  # a pattern that matches nothing, and is quick about it


@dataclass(frozen=True)
class SpecialToken:
    """A token that a template writes as it stands. `strips_before` and `strips_after`: the characters that it swallows.

    `whole_word`: it is none beside a letter or digit. `in_plain_text`: its tokenizer finds it in plain text as well.
    """

    text: str
    strips_before: str = ""
    strips_after: str = ""
    whole_word: bool = False
    in_plain_text: bool = False


class SpecialTokens:
    """Special tokens, and the pattern that finds the longest at each place of a text."""

    def __init__(self, tokens: Iterable[SpecialToken]) -> None:
        self._tokens = {token.text: token for token in tokens if token.text}
        texts = sorted(self._tokens)
        self.characters = frozenset("".join(texts))
        self._pattern = re.compile(_pattern(texts) if texts else NOTHING)
        self._longest = max(map(len, texts), default=0)
        # Parts at the ends of a text: a token may be spelled by two texts that a template joins.
        self._beginnings = texts, _one_of({text[0] for text in texts})
        self._ends = sorted(text[::-1] for text in texts), _one_of({text[-1] for text in texts})

    def __iter__(self) -> Iterator[SpecialToken]:
        return iter(self._tokens.values())

    def find(self, text: str) -> list[int]:
        """Where each special token in a text begins, overlapping ones too."""
        positions, match = [], self._pattern.search(text)
        while match:
            positions.append(match.start())
            match = self._pattern.search(text, match.start() + 1)
        return positions

    def spelled(self, text: str) -> list[int]:
        """One position of each special token in a text, and of each part of one at its ends, whatever blanks follow."""
        if not (self._beginnings[1].search(text) or self._ends[1].search(text)):
            return []  # no letter that a token begins or ends with
        return sorted({*self.find(text), *self._open_ends(text)})

    def spelled_in_any(self, texts: Iterable[str]) -> bool:
        """Whether one of some texts spells a special token, or a part of one at its ends."""
        first, last = self._beginnings[1].search, self._ends[1].search
        return any(self.spelled(text) for text in texts if first(text) or last(text))

    def split(self, text: str) -> list[tuple[str, bool]]:
        """The pieces of a text, and whether each is a special token; without the white space that tokens swallow."""
        pieces, end, strips = list[tuple[str, bool]](), 0, ""
        for match in self._pattern.finditer(text):
            token = self._tokens[match.group()]
            if token.whole_word and _is_inside_word(text, *match.span()):
                continue
            pieces += (text[end : match.start()].lstrip(strips).rstrip(token.strips_before), False), (token.text, True)
            end, strips = match.end(), token.strips_after
        return [piece for piece in (*pieces, (text[end:].lstrip(strips), False)) if piece[0]]

    def _open_ends(self, text: str) -> Iterator[int]:
        """Where a text's end begins a special token, and where its beginning ends one."""
        stripped = text.rstrip()
        sorted_texts, first = self._beginnings
        for match in first.finditer(stripped, max(0, len(stripped) - self._longest)):
            if _begins_one(sorted_texts, stripped[match.start() :]):
                yield match.start()
        start = len(text) - len(text.lstrip())
        sorted_texts, last = self._ends
        for match in last.finditer(text, start, start + self._longest):
            if _begins_one(sorted_texts, text[start : match.end()][::-1]):
                yield match.start()


@lru_cache(maxsize=8)
def named(texts: frozenset[str]) -> SpecialTokens:
    """Special tokens of which nothing but their text is known."""
    return SpecialTokens(map(SpecialToken, texts))


def _pattern(words: Sequence[str], depth: int = 0) -> str:
    """A pattern for the longest of some sorted words, which looks at each letter once however many there are."""
    prefix = _common_prefix(words[0], words[-1])
    rests = [word[len(prefix) :] for word in words]
    if len(rests) == 1:
        return re.escape(prefix)
    if depth == DEEPEST:
        body = "|".join(map(re.escape, sorted(filter(None, rests), key=len, reverse=True)))
    else:
        groups = groupby(filter(None, rests), key=itemgetter(0))
        body = "|".join(_pattern(list(group), depth + 1) for _, group in groups)
    return f"{re.escape(prefix)}(?:{body}){'' if rests[0] else '?'}"


def _common_prefix(first: str, second: str) -> str:
    length = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    return first[: min(len(first), len(second)) if length is None else length]


def _one_of(characters: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, characters)) or NOTHING)


def _begins_one(sorted_texts: Sequence[str], part: str) -> bool:
    """Whether one of some sorted texts begins with `part` and goes on."""
    place = bisect_left(sorted_texts, part)
    return any(text != part and text.startswith(part) for text in sorted_texts[place : place + 2])


def _is_inside_word(text: str, start: int, end: int) -> bool:
    return any(re.match(r"\w", beside) for beside in (text[max(0, start - 1) : start], text[end : end + 1]))
