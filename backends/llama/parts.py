"""The files of a split model: `NAME-00001-of-00003.gguf` and so on, as llama.cpp names them.

Knows names; nothing of what is in the files, nor of where they come from.
"""

import re
from typing import NamedTuple

NAME = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf", re.DOTALL)


class PartName(NamedTuple):
    """A part's name taken apart; `stem` may begin with folders. `number` counts from 1."""

    stem: str
    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.stem}-{self.number:05}-of-{self.total:05}.gguf"

    def all(self) -> list[str]:
        """The names of all parts, the first one first."""
        return [str(self._replace(number=number)) for number in range(1, self.total + 1)]


def parse_name(name: str) -> PartName | None:
    """The parts of a name; None where it is not that of a part."""
    match = NAME.fullmatch(name)
    if match is None or not 1 <= int(match["number"]) <= int(match["total"]):
        return None
    return PartName(match["stem"], int(match["number"]), int(match["total"]))
