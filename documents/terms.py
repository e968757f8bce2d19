"""The terms that a text is searched by: folded words as stems, no function words. Knows strings only.

A word that people write in several ways (light-house, l'été, 1,234, C++) has a term for each. In scripts that put no
space between words every two letters that stand together are one, and each letter is for whoever asks for it alone.
"""

import re
import threading
import unicodedata
from functools import lru_cache
from itertools import pairwise

from snowballstemmer import stemmer

from documents.folding import fold

DENSE = re.compile(  # scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana, Han, Hangul
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]+)"
)
WORD_LETTERS = "\u3000"  # from here on a single letter of them may be a word
INSIDE = "*"  # behind a letter that stands beside others
FUNCTION = re.compile(
    r"a|an|the|th(is|at|ese|ose|en|an|ere|ey|em|eir)|i|me|my|we|us|our|you|your|he|him|his|she|her|it|its|who(m|se)?|"
    r"which|what|when|where|why|how|is|am|are|was|were|be|been|being|do|does|did|done|have|has|had|having|will|would|"
    r"shall|should|can|could|may|might|must|not|no|nor|so|if|as|at|by|for|from|in|into|of|off|on|onto|or|and|but|to|with|"
    r"without|here|also|just|only|very|too|any|some|such|about|tell|says?|said|give|show|find|please|hi|hello|hey|thanks?|ok"
)
OVERVIEW = re.compile(
    r"documents?|files?|texts?|pdf|pages?|attach(ed|ment)|summar(y|ise|ize)|overview|about|main|points?"
)
PAGE = re.compile(r"\b(?:page|slide)s?\s+(\d{1,5})\b", re.IGNORECASE)
CUT = re.compile("([-\u00ad\u2010\u2011])[^\\S\n]*\r?\n\\s*")  # a hyphen at a line's end
SPACED_NUMBER = re.compile(r"(?<!\d)\d{1,3}(?:\s\d{3})+(?!\d)")  # 10 000
NUMBER = re.compile(r"\d{1,3}(?:[.,']\d{3})+(?!\d)")  # 1,234 and 1.234
ABBREVIATION = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")
SIGNED = re.compile(r"[^\W\d_]+(?:\+\+?|#)(?!\w)")  # C++, C#
DOTTED = re.compile(r"\.[^\W\d_]+\b(?!\.\w)")  # .NET
JOINING = re.compile("[-'·]+")
PARTS = re.compile("[-'·.,+#]+")
PUNCTUATION = '"(),:;!?“”'  # that may stand around a word of which there is nothing else to know
ENDS = "-'·.,"  # what does not belong to a word at its ends
SIGNS = {**{sign: sign for sign in "-'·.,+#"}, **dict.fromkeys("’‘ʼ", "'"), **dict.fromkeys("‐‑", "-")}  # what may
LONGEST = 40  # letters of a word that is brought to its stem, and of a piece of text that is remembered
_english, _turn = stemmer("english"), threading.Lock()  # it holds the word that it works on


class _Separators(dict[int, str]):
    """Each character that no word holds as a space, found when it is first met, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        category = unicodedata.category(letter)
        if category[0] in "LMN" or category == "Cf" or letter in SIGNS:
            self[code] = SIGNS.get(letter, letter)
        elif category == "So" and letter >= "\U0001f000":
            self[code] = f" {letter} "  # emoji
        elif category == "So" and not unicodedata.is_normalized("NFKC", letter):
            self[code] = letter  # №, ㎏
        return self.get(code, " ")


_separators = _Separators()


def stems(text: str) -> list[str]:
    """The terms of a text, in order."""
    return _all_terms(text, False)


def question_stems(question: str) -> list[str]:
    """The terms of texts that a question asks for."""
    return _all_terms(question, True)


def _all_terms(text: str, asked: bool) -> list[str]:
    result: list[str] = []
    for piece in CUT.sub(r"\1", text).split():
        terms = _piece_terms if len(piece) <= LONGEST else _piece_terms.__wrapped__
        result += terms(piece, asked)
    result += ["".join(number.split()) for number in SPACED_NUMBER.findall(text)]
    return result


@lru_cache(100_000)
def _piece_terms(piece: str, asked: bool) -> list[str]:
    """The terms of a text without white space. Function words are told before marks are lost: thé is no "the"."""
    word = piece.strip(PUNCTUATION)
    if word.isascii() and word.isalnum():  # most are
        return [] if FUNCTION.fullmatch(word := word.lower()) else [_stem(word)]
    return [
        term
        for word in piece.translate(_separators).split()
        if not FUNCTION.fullmatch(word.strip(ENDS).lower())
        for compound in fold(word).translate(_separators).replace("--", " ").split()
        for term in _compound_terms(compound, asked)
    ]


def _compound_terms(compound: str, asked: bool) -> list[str]:
    """The terms of a word, which may consist of others."""
    if compound.isalnum():
        return _word_terms(compound, asked)
    terms = [compound.rstrip(ENDS)] if DOTTED.match(compound) else []
    terms += SIGNED.findall(compound)
    compound = compound.strip(ENDS).removesuffix("'s")
    parts = [part for part in PARTS.split(compound) if part]
    for part in parts:
        if len(parts) == 1 or not (FUNCTION.fullmatch(part) or (len(part) == 1 and "'" in compound)):
            terms += _word_terms(part, asked)
    return terms + _joined(compound) if len(parts) > 1 else terms


def _joined(compound: str) -> list[str]:
    """What a word of several parts is where nothing stands between them."""
    terms = []
    if JOINING.search(compound) or ABBREVIATION.fullmatch(compound):
        terms = [_stem(re.sub("[-'·.]", "", word)) for word in re.split("[,+#]", compound)]
    return terms + [re.sub(r"\D", "", number) for number in NUMBER.findall(compound)]


def _word_terms(word: str, asked: bool) -> list[str]:
    if not DENSE.search(word):
        return [_stem(word)]
    terms = []
    for at, run in enumerate(DENSE.split(word)):
        if at % 2:
            terms += _pairs(run, asked)
        elif run:
            terms.append(_stem(run))
    return terms


def _pairs(run: str, asked: bool) -> list[str]:
    """Every two letters, and each letter: who asks for one alone finds it in any run, a run asked for those alone."""
    if len(run) == 1:
        return [run, run + INSIDE] if asked else [run]
    pairs, letters = [a + b for a, b in pairwise(run)], [letter for letter in run if letter >= WORD_LETTERS]
    return pairs * 2 + letters if asked else pairs + [letter + INSIDE for letter in letters]  # a pair tells more


@lru_cache(100_000)
def _stem(word: str) -> str:
    if len(word) > LONGEST:
        return word
    with _turn:
        stem: str = _english.stemWord(word)
    return stem


def asks_for_overview(question: str) -> bool:
    """Whether it asks for a document as a whole, with no word that could stand in one passage alone."""
    all_words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", fold(question))
    content_words = [word for word in all_words if OVERVIEW.fullmatch(word) or not FUNCTION.fullmatch(word)]
    return bool(content_words) and all(OVERVIEW.fullmatch(word) for word in content_words)


def named_page(question: str) -> int | None:
    """The page or slide that a question names."""
    match = PAGE.search(question)
    return int(match.group(1)) if match else None
