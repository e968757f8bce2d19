"""Tokens of a prompt without a tokenizer: an estimate, and what the number is surely above and surely below.

Knows messages; no model, whose tokenizer may be any. Of what is no text pictures are counted alone, by their size.
"""

import re
from collections.abc import Sequence

from langchain_core.messages import BaseMessage
from langchain_core.messages.utils import count_tokens_approximately

from backends.vision import picture_tokens

AROUND = 10  # tokens at most that a chat template puts around a message
LETTERS_PER_TOKEN = 10  # of a word: hardly a tokenizer has words as long as that on average
IDEOGRAPHS_PER_TOKEN = 3
WORD = re.compile(r"[^\W\d_]{2,}|\d{2,}")
IDEOGRAPH = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def estimate_tokens(messages: Sequence[BaseMessage]) -> int:
    """About as many tokens as a prompt has: a quarter of its bytes, and a little for each message."""
    texts = (str(message.text) for message in messages)
    beyond_ascii = sum(len(text.encode("utf-8", "replace")) - len(text) for text in texts)
    said = count_tokens_approximately(messages, tokens_per_image=0) + beyond_ascii // 4
    return said + picture_tokens(messages)


def most_tokens(messages: Sequence[BaseMessage]) -> int:
    """A number that is not exceeded by the text, of which a token holds at least one byte."""
    said = sum(len(str(message.text).encode("utf-8", "replace")) + AROUND for message in messages)
    return said + picture_tokens(messages)


def fewest_tokens(messages: Sequence[BaseMessage]) -> int:
    """A number that hardly a tokenizer stays below: tokens do not run over the end of a word."""
    return sum(map(_fewest, (str(message.text) for message in messages)))


def _fewest(text: str) -> int:
    ideographs = len(IDEOGRAPH.findall(text))
    words = (len(word) for word in WORD.findall(IDEOGRAPH.sub(" ", text)))
    return ideographs // IDEOGRAPHS_PER_TOKEN + sum(-(-length // LETTERS_PER_TOKEN) for length in words)
