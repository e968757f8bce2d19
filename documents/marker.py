"""Markers in a reply, such as [1] or [1, 3], that name the passages it was given: where they stand, and what they name.

Only prose has them: code, formulas, links, footnotes, reference definitions and what looks like an index (a[1]) stay as
they are. Knows Markdown and numbers; nothing of files, or of how a marker is shown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt

OURS = "≈"  # stands before a number that no model wrote
BLOCKS = MarkdownIt("commonmark").enable("table").disable("inline")  # where code stands, and no more
CODE_BLOCKS = ("fence", "code_block", "html_block")
NUMBER = r"[1-9]\d{0,3}"
BETWEEN = r"[ ]?(?:[,;&\u2013\u2014-]|,?[ ]?and)[ ]?"
MARKER = rf"\[(?P<list>{NUMBER}(?:{BETWEEN}{NUMBER}){{0,19}})\]|【(?P<bracket>{NUMBER})(?:†[^【】\n]{{0,60}})?】"
SCANNED = re.compile(
    r"(?P<formula>\\\[(?:[^\\]|\\[^\[\]])+?\\\]|\\\((?:[^\\]|\\[^()])+?\\\))"
    r"|(?P<escape>\\.)"
    r"|(?P<code>(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))|(?P<open>`+)"
    r"|(?P<definition>^[ ]{0,3}\[[^\[\]\n]+\]:[ \t]*(?:[a-z][a-z0-9+.-]*:|[/#<])[^\n]*)"
    r"|(?P<link>!?\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\))"
    r"|(?P<tag><[a-z/!][^<>\n]*>|\bhttps?://[^\s<]+|\bwww\.[^\s<]+)"
    r"|(?P<dollars>\$\$(?!\$)(?:[^$\\]|\\.|\$(?!\$))+\$\$(?!\$))"
    r"|(?P<dollar>\$(?![\s$])(?:[^$\\\n]|\\.)+(?<!\s)\$(?![\d$]))"
    rf"|(?P<marker>{MARKER})",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
BLANK_LINE = re.compile(r"\n[ \t]*\n")
PRICES = re.compile(r"\d[^\\^_={}<>+*]*\s[^\\^_={}<>+*]*")  # what two prices have between them is no formula
WORD = re.compile(r"[\w.$]+$")
CALL = re.compile(r"\w\([^()]*\)$")  # f(x)[1]
DIRECTIVE = re.compile(r"(?<!\w):[a-z]+$")  # :red[1]
OPERATOR = re.compile(r"(?:[=∈+*/<>:]|\b(?:interval|range|vector|tuple))[ ]?$", re.IGNORECASE)
GOES_ON = re.compile(r"\.\w|[ ]?(?:[-+*/]?=|[-+*/][ ]?\w)|[\[({](?!\d)")  # what is done with an item of a list
VARIABLES = frozenset(("arg", "args", "argv", "arr", "array", "buf", "idx", "lst", "str", "tmp", "vec"))
DENSE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]")  # no spaces
MAX_RANGE = 20  # numbers between two ends: more than that are no list of passages


@dataclass(frozen=True)
class Marker:
    """The text from `start` to `end` names these passages, numbered from 1; `unknown` are numbers that none has.

    `is_ours`: no model wrote it, and it stands between two characters, where it is to be shown.
    """

    start: int
    end: int
    numbers: tuple[int, ...]
    unknown: tuple[int, ...] = ()
    is_ours: bool = False


def find_markers(text: str, count: int) -> list[Marker]:
    """The markers of a reply, whole or growing, that was given `count` passages; what names none of them is text."""
    return list(_scan(text, count)) if count and ("[" in text or "【" in text) else []


def mask_code(text: str) -> str:
    """The text with NUL in the place of each character of a block of code, so that places stay what they are."""
    lines = text.split("\n")
    for token in BLOCKS.parse(text):
        if token.type in CODE_BLOCKS and token.map:
            for at in range(token.map[0], min(token.map[1], len(lines))):
                lines[at] = "\0" * len(lines[at])
    return "\n".join(lines)


def _scan(text: str, count: int) -> Iterator[Marker]:
    prose = mask_code(text)
    defined = {match[1] for match in re.finditer(r"^[ ]{0,3}\[(\d+)\]:[ \t]*(?:https?:|mailto:|[/#<])", prose, re.M)}
    at, last = 0, -1
    while match := SCANNED.search(prose, at):
        at = match.end()
        kind = match.lastgroup or ""
        if match["marker"] is None:
            at = match.start() + _skipped(kind, match)
        elif (match["list"] or match["bracket"]) not in defined and _is_marker(prose, match, last):
            marker = _parse(match, count)
            last = at
            if marker.numbers:
                yield marker


def _skipped(kind: str, match: re.Match[str]) -> int:
    """How many characters of what is no marker hold none either."""
    found = match[0]
    if match["ticks"] is not None and BLANK_LINE.search(found):
        return len(match["ticks"])
    if kind == "formula" and BLANK_LINE.search(found):
        return 2
    return 1 if kind == "dollar" and PRICES.fullmatch(found[1:-1]) else len(found)


def _is_marker(text: str, match: re.Match[str], last: int) -> bool:
    """Whether numbers in brackets stand where a source is named; `last`: where the marker before ended."""
    start, end = match.span()
    before, after = text[max(0, start - 60) : start], text[end : end + 3]
    if after[:1] == "(" or (after[:1].isascii() and (after[:1].isalnum() or after[:1] == "_")):
        return False
    if OPERATOR.search(before) or DIRECTIVE.search(before) or before.endswith(" !") or before == "!":
        return False
    if before[-1:] == "]":
        return last == start
    if before[-1:] == ")":
        return not CALL.search(before)
    word = WORD.search(before)
    return word is None or before[-1] == "." or not _is_variable(word[0], after)


def _is_variable(word: str, after: str) -> bool:
    """Whether brackets directly behind a word, and before this, ask for an item of a list."""
    if DENSE.match(word[-1]):
        return False
    if word.replace(".", "").isdecimal():
        return False
    plain = word.isalpha() and (word[1:].islower() or word.isupper())
    return not plain or len(word) == 1 or word.lower() in VARIABLES or GOES_ON.match(after) is not None


def _parse(match: re.Match[str], count: int) -> Marker:
    """The marker of a match, its numbers in the order in which they stand there, each once."""
    items: list[int] = []
    for part in re.findall(rf"{NUMBER}(?:[ ]?[\u2013\u2014-][ ]?{NUMBER})?", match["list"] or match["bracket"]):
        first, *rest = (int(number) for number in re.findall(r"\d+", part))
        end = rest[-1] if rest else first
        if not first <= end <= min(count, first + MAX_RANGE) and rest:
            return Marker(*match.span(), ())  # 1-1874 are no passages, nor 3-1
        items += range(first, end + 1)
    unique = dict.fromkeys(items)
    known = tuple(number for number in unique if number <= count)
    return Marker(*match.span(), known, tuple(number for number in unique if number > count))
