"""The words that a text is searched by: small letters, stems, no function words. Knows strings only."""

import re
import threading
from functools import lru_cache

from snowballstemmer import stemmer

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
DENSE = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")  # scripts that put no space between words
FUNCTION = re.compile(
    r"a|an|the|th(is|at|ese|ose|en|an|ere|ey|em|eir)|i|me|my|we|us|our|you|your|he|him|his|she|her|it|its|who(m|se)?|"
    r"which|what|when|where|why|how|is|am|are|was|were|be|been|being|do|does|did|done|have|has|had|having|will|would|"
    r"shall|should|can|could|may|might|must|not|no|nor|so|if|as|at|by|for|from|in|into|of|off|on|onto|or|and|but|to|with|"
    r"without|here|also|just|only|very|too|any|some|such|about|tell|says?|said|give|show|find|please|hi|hello|hey|thanks?|ok"
)
OVERVIEW = re.compile(
    r"documents?|files?|texts?|pdf|pages?|attach(ed|ment)|summar(y|ise|ize)|overview|about|main|points?"
)
PAGE = re.compile(r"\bpages?\s+(\d{1,5})\b", re.IGNORECASE)
LONGEST = 40  # letters of a word; what is longer is none
_english, _turn = stemmer("english"), threading.Lock()  # it holds the word that it works on


@lru_cache(100_000)
def _stem(word: str) -> str | None:
    """None where nothing is searched by it."""
    if FUNCTION.fullmatch(word) or len(word) >= LONGEST:
        return None
    with _turn:
        stem: str = _english.stemWord(word.removesuffix("'s"))
    return stem


def stems(text: str) -> list[str]:
    """Stems in order; of scripts without spaces, every two letters that stand together."""
    result: list[str] = []
    for match in WORD.finditer(text.lower().replace("’", "'")):
        word = match.group()
        if dense := DENSE.search(word):
            letters = dense.group()
            result += [letters[at : at + 2] for at in range(max(1, len(letters) - 1))]
        elif stem := _stem(word):
            result.append(stem)
    return result


def asks_for_overview(question: str) -> bool:
    """Whether it asks for a document as a whole, with no word that could stand in one passage alone."""
    all_words = WORD.findall(question.lower())
    content_words = [word for word in all_words if OVERVIEW.fullmatch(word) or not FUNCTION.fullmatch(word)]
    return bool(content_words) and all(OVERVIEW.fullmatch(word) for word in content_words)


def named_page(question: str) -> int | None:
    """The page that a question names."""
    match = PAGE.search(question)
    return int(match.group(1)) if match else None
