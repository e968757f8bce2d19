"""Where a call begins in a growing text: the first of the texts by which calls are known, whole or its beginning.

Knows texts; nothing of what follows.
"""

from collections.abc import Sequence
from typing import NamedTuple

from backends.local.tools.formats import Form


class Opening(NamedTuple):
    """A text by which a call of this form is known; `at_start`: only where nothing but blanks stands before it."""

    text: str
    form: Form
    at_start: bool


class Openings:
    """The texts by which calls of some forms of some tools are known."""

    def __init__(self, forms: Sequence[Form], names: Sequence[str]) -> None:
        self._all = [Opening(text, form, not form.opening) for form in forms for text in form.openings(names)]

    def find(self, text: str, is_start: bool) -> tuple[int, Opening] | None:
        """Where the first one stands in a text, and which; `is_start`: the text is a reply from its beginning."""
        found = ((text.find(each.text), each) for each in self._all)
        places = [(at, each) for at, each in found if at >= 0 and self._counts(each, text[:at], is_start)]
        return min(places, key=lambda place: place[0], default=None)

    def overlap(self, text: str, is_start: bool) -> int:
        """Length of the longest end of a text that begins one."""
        return max((self._overlap(each, text, is_start) for each in self._all), default=0)

    def rests(self, text: str, is_start: bool) -> set[str]:
        """What would complete an opening that the end of a text begins."""
        found = ((each, self._overlap(each, text, is_start)) for each in self._all)
        return {each.text[size:] for each, size in found if size}

    def _overlap(self, opening: Opening, text: str, is_start: bool) -> int:
        for size in range(min(len(opening.text) - 1, len(text)), 0, -1):
            if text.endswith(opening.text[:size]) and self._counts(opening, text[: len(text) - size], is_start):
                return size
        return 0

    @staticmethod
    def _counts(opening: Opening, before: str, is_start: bool) -> bool:
        return not opening.at_start or (is_start and not before.strip())
