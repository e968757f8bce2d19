"""The rules by which a reply counts. Knows texts and patterns; nothing of models, files or who is asked.

A reply to a question is right where one of the accepted answers stands in it as whole words, whatever else it says. A
reply to an everyday opening fits where it says one of the things that people say to that opening, none of those that
show it misunderstood (speaking as the one who asked, above all), and is no echo, no stammer and no lesson in grammar.
"""

import re
from collections.abc import Callable, Sequence

Judge = Callable[[str], bool]
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
PROMPT_LEAK = re.compile(
    r"<\|?\w+\|?>|^\s*(?:user|assistant|system|human)\s*:|\[(?:your|user|name|insert)[^\]]*\]", re.I | re.M
)
# Talking about a sentence instead of answering it.
ABOUT_WORDS = re.compile(r"\b(?:phrase|idiom\w*|in english|common expression|be described as|the words?)\b", re.I)
STAMMER = 3  # times that the same run of words stands in a reply
RUN = 4  # words of such a run


def has_answer(accepted: Sequence[str]) -> Judge:
    """Judges whether one of the answers stands in a reply as whole words; capital letters do not count."""
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in accepted), re.IGNORECASE)
    return lambda reply: pattern.search(reply) is not None


def fits_opening(opening: str, fits: Sequence[str], misfits: Sequence[str]) -> Judge:
    """Judges whether a reply fits an everyday opening, by regular expressions. Raises re.error."""
    good, bad = ([re.compile(each, re.IGNORECASE | re.DOTALL) for each in some] for some in (fits, misfits))

    def judge(reply: str) -> bool:
        text = reply.replace("’", "'")
        if is_echo(opening, text) or is_stammer(text) or PROMPT_LEAK.search(text) or ABOUT_WORDS.search(text):
            return False
        return any(each.search(text) for each in good) and not any(each.search(text) for each in bad)

    return judge


def is_echo(opening: str, reply: str) -> bool:
    """Whether a reply begins with the opening's own words and adds nothing, or is empty; greetings may be returned."""
    asked, said = words(opening), words(reply)
    if not said:
        return True
    return len(asked) > 2 and said[: len(asked)] == asked and len(said) < len(asked) + RUN


def is_stammer(reply: str) -> bool:
    """Whether the same four words stand in a reply three times or more."""
    said = words(reply)
    runs = [tuple(said[at : at + RUN]) for at in range(len(said) - RUN + 1)]
    return any(runs.count(run) >= STAMMER for run in set(runs))


def words(text: str) -> list[str]:
    """The words of a text in small letters."""
    return [each.lower().replace("’", "'") for each in WORD.findall(text)]
