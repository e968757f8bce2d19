"""What text the tables can hold, how long a message may be, and its words for the search. Knows strings only."""

import re

from documents.folding import fold_words

MAX_MESSAGE_LENGTH = 100_000  # characters of one message
ESCAPE = re.compile(r"\\[bfnrt]")  # of white space in JSON, whose letter would be taken for the next word's
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL refuses the first, UTF-8 the others


class MessageError(ValueError):
    """A message that cannot be sent; the text says why."""


def clean(text: str) -> str:
    """The text with U+FFFD for what no database holds: NUL and halves of surrogate pairs."""
    try:
        text.encode()  # for every column of every row: ten times as fast as a search
    except UnicodeEncodeError:
        return UNSTORABLE.sub("\ufffd", text)
    return text.replace("\x00", "\ufffd")


def check_message(text: str, *, beside: bool = False) -> str:
    """A message as it is kept; `beside`: it has pictures, and needs no text. Raises MessageError for an empty or
    over-long one.
    """
    if not text.strip() and not beside:
        raise MessageError("The message is empty: write some text.")
    if len(text) > MAX_MESSAGE_LENGTH:
        raise MessageError(f"The message has {len(text):,} characters; at most {MAX_MESSAGE_LENGTH:,} can be sent.")
    return clean(text)


def searched_words(text: str) -> str | None:
    """What is searched instead of a text; None where that is the text itself, of which the indexes fold ASCII alike."""
    return None if text.isascii() else fold_words(clean(text))


def searched_call(arguments: str, result: str | None) -> str | None:
    """What is searched instead of a call's arguments and result; None where that is these, with a space between."""
    spaced = ESCAPE.sub(" ", arguments)
    said = f"{spaced} {result or ''}"
    return fold_words(clean(said)) if spaced != arguments or not said.isascii() else None


def format_count(number: int, noun: str) -> str:
    """How many, with the noun in its form: "1 page", "1,200 passages"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
