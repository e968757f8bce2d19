"""A text cut to whole sentences. Knows characters only.

A sentence ends with . ! ? … and a space, with their closing quotes, or with the full marks of Chinese and Japanese,
which need no space. An ellipsis before a small letter is a pause.
"""

import re
import unicodedata
from collections.abc import Iterator

CLOSING = "[\"'”’»)\\]*_]*"
END = re.compile(f"(?P<mark>[.!?…؟।]+){CLOSING}(?=\\s|$)|[。！？｡]+[」』”’）〉》]*")
COUNTED = re.compile(r"\s*\d+\.")  # "2." at the beginning of a line counts, and ends nothing
PAUSE = re.compile(r"\s*[^\W\d_]")
MORE = "…"
JOINER = "\u200d"
FLAGS = "".join(map(chr, range(0x1F1E6, 0x1F200)))  # two letters are one flag
AHEAD = 100  # characters beyond the cut that tell whether a sentence ends there


def shorten(text: str, longest: int) -> str:
    """As many whole sentences as `longest` characters hold; of a longer first one whole words and an ellipsis."""
    text = text.strip()
    if len(text) <= longest:
        return text
    near = text[: longest + AHEAD]
    ends_within = [end for end in sentence_ends(near) if end <= longest]
    return (
        text[: ends_within[-1]]
        if ends_within
        else cut_between_words(text, longest - len(MORE)).rstrip(" \t\r\n,;:、，") + MORE
    )


def sentence_ends(text: str) -> Iterator[int]:
    """The positions after each sentence's end."""
    for match in END.finditer(text):
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.end()]
        if not (COUNTED.fullmatch(line) or _pause(text, match)):
            yield match.end()


def _pause(text: str, match: re.Match[str]) -> bool:
    after = PAUSE.match(text, match.end())
    mark = match["mark"] or ""
    return mark.endswith(("…", "..")) and after is not None and after.group()[-1].islower()


def cut_between_words(text: str, longest: int) -> str:
    """Cut between two words, or where there are none between two characters as people see them."""
    if text[longest].isspace():
        return text[:longest]
    cut = text[:longest]
    at = max((match.start() for match in re.finditer(r"\s", cut)), default=0)
    if at:
        return cut[:at]
    while longest > 1 and _belongs(text, longest):
        longest -= 1
    return text[:longest]


def _belongs(text: str, at: int) -> bool:
    """Whether the character `at` is one with that before it: accents, skin colours, joined emoji, halves of a flag."""
    character, before = text[at], text[at - 1]
    if unicodedata.combining(character) or character in {JOINER, "\ufe0f", "\u20e3"} or before == JOINER:
        return True
    if "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    letters = at - len(text[:at].rstrip(FLAGS))
    return character in FLAGS and letters % 2 == 1
