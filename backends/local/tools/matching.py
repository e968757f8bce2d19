"""What may follow in a reply with calls: anything until one begins, then what the grammar of calls allows.

A call begins at the end of a token, never within one, so its first character is already held to the grammar.
Knows tokens and their bytes; nothing of how one is computed or drawn.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from backends.local.grammar import Matcher, Tokens
from backends.local.tools.opening import Opening, Openings

LONGEST = 512  # characters of the end of a reply that are looked at
Begin = Callable[[Opening], Matcher]


class CallMatcher(Matcher):
    """One reply's place: in text that is free, or in the calls after it."""

    def __init__(
        self, tokens: Tokens, openings: Openings, begin: Begin, boundary: "Boundary", texts: dict[int, bytes]
    ) -> None:
        """`begin` gives what goes along behind an opening; `texts` are those of special tokens in the openings."""
        self._tokens, self._openings, self._begin = tokens, openings, begin
        self._boundary, self._texts = boundary, texts
        self._data, self._is_start = b"", True
        self._calls: Matcher | None = None

    def continue_after(self, tokens: Sequence[int]) -> None:
        """Go on after tokens that stand there already."""
        for token in tokens:
            self.accept(token)

    def prepare(self) -> None:
        """Begin to look for the tokens that may come next, where they are few."""
        if self._calls is not None:
            self._calls.prepare()

    def allowed(self) -> NDArray[np.bool_] | None:
        """Which tokens may come next, [vocabulary]; None for any."""
        if self._calls is not None:
            return self._calls.allowed()
        rests = self._openings.rests(self._text, self._is_start)
        return self._boundary.without_longer(frozenset(rests)) if rests else None

    def accept(self, token: int) -> None:
        """Go on after the token that was drawn."""
        if self._calls is not None:
            self._calls.accept(token)
            return
        self._data += self._texts.get(token) or self._tokens.token_bytes(token)
        found = self._openings.find(self._text, self._is_start)
        if found is not None:
            self._calls = self._begin(found[1])
            self._calls.prepare()
        elif len(self._data) > LONGEST:
            self._data, self._is_start = self._data[-LONGEST // 2 :], False

    @property
    def _text(self) -> str:
        return self._data.decode("utf-8", "replace")


class Boundary:
    """Tokens of a vocabulary that would complete a text and go on behind it."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._found = lru_cache(maxsize=256)(self._find)
        self._pieces: list[bytes] | None = None

    def without_longer(self, rests: frozenset[str]) -> NDArray[np.bool_] | None:
        """All tokens but those that begin with one of these texts and are longer; None for all of them."""
        return self._found(rests)

    def _find(self, rests: frozenset[str]) -> NDArray[np.bool_] | None:
        if self._pieces is None:
            self._pieces = [self._tokens.token_bytes(token) for token in range(self._tokens.vocabulary_size)]
        texts = tuple(rest.encode() for rest in rests)
        longer = [i for i, piece in enumerate(self._pieces) if piece.startswith(texts) and piece not in texts]
        if not longer:
            return None
        allowed = np.ones(len(self._pieces), dtype=bool)
        allowed[longer] = False
        return allowed
