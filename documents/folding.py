"""Texts as a search compares them: what differs only in how it is typed or encoded is folded into one form.

What is indexed and what is asked go through the same function. Knows letters, as Unicode describes them; no language.
"""

import re
import unicodedata

DROPPED = {"Cf", "Cs"}  # categories: soft hyphens, joiners, directions
INVISIBLE = set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")  # Unicode ignores them as well
# Marks that are written or left out as one likes; those of other scripts (vowel signs, viramas) make the word.
LOOSE_MARKS = ("COMBINING", "ARABIC", "HEBREW", "SYRIAC", "VARIATION SELECTOR", "DEVANAGARI SIGN NUKTA")
VOICED = {"\u3099", "\u309a"}  # of kana: another letter
BREVE, DIAERESIS = "\u0306", "\u0308"  # on Cyrillic letters they make another one, but for ё
SAME = {
    **dict.fromkeys("‘’‛ʹʻʼʽˈ´′՚׳＇", "'"),
    **dict.fromkeys("‐‑⁃−﹣－־", "-"),
    **dict.fromkeys("™℠©®", " "),
    **dict.fromkeys("ىی", "ي"),
    **dict.fromkeys("کڪ", "ك"),
    **dict.fromkeys("ٱٲٳ", "ا"),
    **dict.fromkeys("ةہەھ", "ه"),
    **{"ـ": "", "װ": "וו", "ױ": "וי", "ײ": "יי", "ँ": "ं"},
}


BESIDE = re.compile("[a-z0-9\u00df-\u058f](?=[\u0590-\U0010ffff])|[\u0590-\U0010ffff](?=[a-z0-9\u00df-\u058f])")
KNOWN = 1 << 14  # words whose folded form is kept: most of a text are among a few
SHORT = 32  # letters of such a word; what is longer is a sentence without spaces


class _Letters(dict[int, str]):
    """Each letter's folded form, found when it is first met, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        folded = _fold_letter(chr(code))
        if unicodedata.category(chr(code)) not in {"Cn", "Co"}:  # a million of them would be kept for nothing
            self[code] = folded
        return folded


class _Words(dict[int, str]):
    """Each letter's folded form as words hold it, a space for what none holds, for `str.translate`."""

    def __missing__(self, code: int) -> str:
        words = "".join(map(_in_words, _letters[code]))
        if unicodedata.category(chr(code)) not in {"Cn", "Co"}:
            self[code] = words
        return words


class _Known(dict[str, str]):
    """The folded words of pieces between spaces; of those that are short as many are kept as a text has."""

    def __missing__(self, piece: str) -> str:
        words = _fold_piece(piece)
        if len(piece) <= SHORT:
            if len(self) >= KNOWN:
                self.clear()
            self[piece] = words
        return words


_letters, _words, _known = _Letters(), _Words(), _Known()


def fold(text: str) -> str:
    """The text in small letters, without marks, ligatures, widths, and what cannot be seen.

    1. Letters and the marks behind them become one (NFC). 2. Each is folded. 3. What belongs together now is composed.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).translate(_letters))


def fold_words(text: str) -> str:
    """The folded words of a text, spaces for all else; those of Latin, Greek and Cyrillic letters apart from others.

    Letter by letter: the words of a text's beginning are the beginning of its words.
    """
    if text.isascii():
        return _fold_piece(text)
    return " ".join(map(_known.__getitem__, text.split(" ")))  # nothing is composed across a space


def _fold_piece(text: str) -> str:
    """The folded words of a text, in one pass."""
    words = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).translate(_words))
    return words if words.isascii() else BESIDE.sub(r"\g<0> ", words)


def _in_words(letter: str) -> str:
    category = unicodedata.category(letter)
    if category == "So":
        return f" {letter} "  # emoji: each is a word
    return letter if category[0] in "LMN" else " "


def _fold_letter(letter: str) -> str:
    if letter in SAME:
        return SAME[letter]
    if letter in INVISIBLE or unicodedata.category(letter) in DROPPED:
        return ""
    base = ""
    result = []
    for piece in unicodedata.normalize("NFKD", letter):
        if unicodedata.category(piece).startswith("M"):
            result.append(_fold_mark(piece, base))
        else:
            base = _fold_base(piece)
            result.append(base)
    return unicodedata.normalize("NFC", "".join(result))


def _fold_mark(mark: str, base: str) -> str:
    """The mark, or nothing where it does not count on this letter."""
    if base and base != "е" and mark in {BREVE, DIAERESIS} and unicodedata.name(base[0], "").startswith("CYRILLIC"):
        return mark
    is_loose = mark not in VOICED and unicodedata.name(mark, "").startswith(LOOSE_MARKS)
    return "" if is_loose else SAME.get(mark, mark)


def _fold_base(letter: str) -> str:
    """A letter that cannot be taken apart any more: a digit as ASCII's, a Latin letter without its stroke."""
    if unicodedata.category(letter) == "Nd":
        return str(unicodedata.decimal(letter))
    small = SAME.get(letter, letter).casefold()
    if small.isascii() or not unicodedata.name(small[0], "").startswith("LATIN"):
        return small
    from anyascii import anyascii

    return "".join(filter(str.isalnum, anyascii(small).lower())) or small
