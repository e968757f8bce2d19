"""What an importer is: whose form it reads, how an item of it is recognised, and what makes it ours.

Knows no form. An importer is a file in `conversations/exchange/forms`, whose last line is its `Form`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from conversations.exchange.chatgpt.beside import Beside
from conversations.exchange.file import Archive
from conversations.exchange.folder import Folder
from prompts.persona import Persona


@dataclass
class Source:
    """Where conversations come from: the file's name, what lies beside them, and what of them is not kept.

    `lost` counts what an export has and this program has no place for, by its name; `remarks` are said once each.
    `project` is the one of ours that a file's conversations are in, `folders` are another program's by its ids.
    """

    name: str = ""
    archive: Archive = field(default_factory=Archive)
    around: Mapping[str, Any] = field(default_factory=dict)
    chatgpt: Beside = field(default_factory=Beside)
    lost: Counter[str] = field(default_factory=Counter)
    remarks: dict[str, None] = field(default_factory=dict)
    personas: list[Persona] = field(default_factory=list)
    project: Mapping[str, Any] | None = None
    folders: dict[str, Folder] = field(default_factory=dict)
    _members: dict[str, str] | None = None  # the paths of what lies beside by their parts

    @property
    def beside(self) -> Mapping[str, Any]:
        """The JSON files that lie beside the conversations, by their names."""
        return self.archive.beside

    def member(self, name: str) -> bytes | None:
        """The bytes of a file beside them that has this name, or an id as its name or its folder's."""
        if self._members is None:
            self._members = {}
            for path in self.archive.names:
                for part in PurePosixPath(path).parts:
                    self._members.setdefault(part, path)
                self._members.setdefault(PurePosixPath(path).stem, path)
        found = self._members.get(name)
        return None if found is None else self.archive.read(found)

    @property
    def title(self) -> str:
        """What a file is called, for a conversation that has no title of its own."""
        name = PurePosixPath(self.name.replace("\\", "/")).name
        for suffix in (".json", ".jsonl", ".conversation", ".txt", ".png"):
            name = name.removesuffix(suffix)
        return " ".join("".join(mark if mark.isprintable() else " " for mark in name).split())

    def lose(self, what: str, count: int = 1) -> None:
        """Note that this many of something are not kept."""
        if count:
            self.lost[what] += count

    def remark(self, line: str) -> None:
        """Note what is to be told of the whole file."""
        self.remarks[line] = None


Convert = Callable[[dict[str, Any], Source], dict[str, Any]]
Gather = Callable[[Iterable[Any], Source], Iterator[Any]]


def each_item(items: Iterable[Any], source: Source) -> Iterator[Any]:
    """The items as they are: each is a conversation."""
    return iter(items)


@dataclass(frozen=True)
class Form:
    """`recognizes` an item, or a part of one that `gather` puts together with others; `convert` raises ExchangeError.

    `beside` takes in what lies beside the items, after these, and gives conversations of it where it is such.
    """

    name: str
    recognizes: Callable[[dict[str, Any]], bool]
    convert: Convert
    gather: Gather = each_item
    beside: Callable[[Source], Iterable[dict[str, Any]]] | None = None
