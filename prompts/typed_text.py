"""What somebody typed, as a chat template sees it: it reads as it was written, and spells no special token.

One letter of each token that it spells is a stand-in: a character that occurs nowhere else in the prompt, for which the
letter is put back in the result. Whatever a template asks of the text (`in`, `==`, `split`, slices) is answered by the
true letters. Knows no template.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, chain
from typing import Any, SupportsIndex

from prompts.special_tokens import SpecialTokens


class StandIns:
    """The stand-ins of one prompt, for letters of special tokens."""

    def __init__(self, specials: SpecialTokens, seen: Iterable[str]) -> None:
        """`seen`: every text of the prompt."""
        self._specials, self._taken = specials, specials.characters.union(*seen)
        self._free = map(chr, chain(range(0xE000, 0xF900), range(0xF0000, 0x10FFFE)))
        self._for: dict[str, str] = {}
        self._letters: dict[int, str] = {}

    def guard(self, value: Any) -> Any:
        """A value of JSON whose texts spell no special token."""
        if isinstance(value, str):
            return self._guard_text(value)
        if isinstance(value, list | tuple):
            return [self.guard(part) for part in value]
        if isinstance(value, Mapping):
            return {self.guard(name): self.guard(part) for name, part in value.items()}
        return value

    def retype(self, value: Any) -> Any:
        """A text in which there are stand-ins, as TypedText; anything else as it is."""
        plain = not isinstance(value, str) or isinstance(value, TypedText)
        return value if plain or not any(c in value for c in self._for.values()) else TypedText(value, self)

    def restore(self, value: Any) -> Any:
        """A value with its texts as they were written."""
        if isinstance(value, str):
            return str(value).translate(self._letters)
        if isinstance(value, list | tuple):
            return type(value)(map(self.restore, value))
        if isinstance(value, Mapping):
            return {self.restore(name): self.restore(part) for name, part in value.items()}
        return value

    def _guard_text(self, text: str) -> str:
        positions = self._specials.spelled(text)
        letters = list(text) if positions else []
        for position in positions:
            letters[position] = self._stand_in(letters[position])
        return TypedText("".join(letters), self) if positions else text

    def _stand_in(self, letter: str) -> str:
        if letter not in self._for:
            self._for[letter] = next(c for c in self._free if c not in self._taken)
            self._letters[ord(self._for[letter])] = letter
        return self._for[letter]


def _answered(name: str) -> Any:
    """A method of str whose answer is no text."""

    def ask(self: "TypedText", *arguments: Any, **named: Any) -> Any:
        return getattr(self.restored, name)(*map(self.stand_ins.restore, arguments), **named)

    return ask


class TypedText(str):
    """A text with stand-ins in it."""

    stand_ins: StandIns

    def __new__(cls, text: str, stand_ins: StandIns) -> "TypedText":
        """`text` holds the stand-ins already."""
        typed = super().__new__(cls, text)
        typed.stand_ins = stand_ins
        return typed

    @property
    def restored(self) -> str:
        """The text as it was written."""
        return str(self.stand_ins.restore(self))

    __contains__: Any = _answered("__contains__")
    __eq__: Any = _answered("__eq__")
    __ne__: Any = _answered("__ne__")
    __lt__: Any = _answered("__lt__")
    __gt__: Any = _answered("__gt__")
    __hash__: Any = _answered("__hash__")
    startswith: Any = _answered("startswith")
    endswith: Any = _answered("endswith")
    find: Any = _answered("find")
    rfind: Any = _answered("rfind")
    index: Any = _answered("index")
    rindex: Any = _answered("rindex")
    count: Any = _answered("count")

    def __repr__(self) -> str:
        return str(self.stand_ins.guard(repr(self.restored)))

    def __getitem__(self, key: SupportsIndex | slice) -> "TypedText":
        return TypedText(super().__getitem__(key), self.stand_ins)

    def __iter__(self) -> Iterator[str]:
        return (self[position] for position in range(len(self)))

    def __add__(self, other: str) -> "TypedText":
        return TypedText(super().__add__(other), self.stand_ins)

    def __radd__(self, other: str) -> "TypedText":
        return TypedText(str.__add__(str(other), self), self.stand_ins)

    def lstrip(self, chars: str | None = None, /) -> "TypedText":
        """As str's."""
        return self[len(self) - len(self.restored.lstrip(self.stand_ins.restore(chars))) :]

    def rstrip(self, chars: str | None = None, /) -> "TypedText":
        """As str's."""
        return self[: len(self.restored.rstrip(self.stand_ins.restore(chars)))]

    def strip(self, chars: str | None = None, /) -> "TypedText":
        """As str's."""
        return self.lstrip(chars).rstrip(chars)

    def removeprefix(self, prefix: str, /) -> "TypedText":
        """As str's."""
        return self[len(self) - len(self.restored.removeprefix(self.stand_ins.restore(prefix))) :]

    def removesuffix(self, suffix: str, /) -> "TypedText":
        """As str's."""
        return self[: len(self.restored.removesuffix(self.stand_ins.restore(suffix)))]

    def split(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> Any:
        """As str's."""
        return self._cut(self.restored.split(self.stand_ins.restore(sep), maxsplit), sep)

    def rsplit(self, sep: str | None = None, maxsplit: SupportsIndex = -1) -> Any:
        """As str's."""
        return self._cut(self.restored.rsplit(self.stand_ins.restore(sep), maxsplit), sep)

    def splitlines(self, keepends: bool = False) -> Any:
        """As str's."""
        lines = self._cut(self.restored.splitlines(keepends=True), "")
        return lines if keepends else [line[: len(*line.restored.splitlines())] for line in lines]

    def partition(self, sep: str, /) -> Any:
        """As str's."""
        return tuple(self._cut(self.restored.partition(self.stand_ins.restore(sep)), ""))

    def rpartition(self, sep: str, /) -> Any:
        """As str's."""
        return tuple(self._cut(self.restored.rpartition(self.stand_ins.restore(sep)), ""))

    def replace(self, old: str, new: str, count: SupportsIndex = -1, /) -> Any:
        """As str's."""
        if not old:
            return TypedText(super().replace(old, new, count), self.stand_ins)
        return TypedText(str(new).join(map(str, self.split(old, count))), self.stand_ins)

    def _cut(self, parts: Iterable[str], between: str | None) -> list["TypedText"]:
        """The parts of the text that the true one was cut in, at white space or at the text `between` them."""
        parts = list(parts)
        if between is not None:
            starts = accumulate((len(part) + len(between) for part in parts), initial=0)
            return [self[start : start + len(part)] for start, part in zip(starts, parts, strict=False)]
        found, end, text = [], 0, self.restored
        for part in parts:
            start = text.index(part, end)
            end = start + len(part)
            found.append(self[start:end])
        return found
