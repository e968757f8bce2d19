"""What is said while speed is measured: invented small talk of a wanted length, the same to each contender.

Knows words and the shipped tokenizer; nothing of what is measured.
"""

import random
from functools import cache
from itertools import count
from typing import Any

from settings import DEFAULT_MODEL

TEXT = (
    "about after again always animal answer around autumn bake ball basket beach because before begin bird blue boat "
    "book bread bridge bright brother build butter cake call candle careful castle chair cheese children circle city "
    "clean clock cloud coffee cold cook corner country dance dinner door dream early evening every family farm father "
    "field finger fire fish floor flower forest friend garden ghost glass gold grandma green guitar happy harbour "
    "heavy hill holiday honey horse house hungry island jacket kitchen ladder lake laugh learn letter light little "
    "lunch market meadow milk mirror money moon morning mother mountain music near never night ocean orange paint "
    "paper park people piano picture plate please pocket quiet rain read red river road rose salt school season ship "
    "shoe silver simple sister sleep slow snow song soup spring station stone story street summer sugar sun table tea "
    "teacher thing tomorrow tower town train travel tree under village visit walk wall warm water weather week white "
    "wind window winter wood work yellow"
)
WORDS = TEXT.split()


@cache
def tokenizer() -> Any:
    """The shipped one. It is what counts."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(DEFAULT_MODEL / "tokenizer.json"))


def token_ids(text: str) -> list[int]:
    """The ids of a text's tokens."""
    ids: list[int] = tokenizer().encode(text, add_special_tokens=False).ids
    return ids


def count_tokens(text: str) -> int:
    """The number of tokens in a text."""
    return len(token_ids(text))


class TextGenerator:
    """What is said to one contender, in order; another one with the same seed says the same."""

    def __init__(self, seed: int) -> None:
        self._rng, self._numbers = random.Random(seed), count()

    def text(self, tokens: int) -> str:
        """A text of about so many tokens that was not said before."""
        text = f"{self._word()} {next(self._numbers)} {self._word()}:"
        while (missing := tokens - count_tokens(text)) > 0:
            text += "".join(f" {self._word()}" for _ in range(max(1, missing // 3)))
        return text

    def _word(self) -> str:
        return self._rng.choice(WORDS)
