"""The conversations of a file in our form, whoever wrote it, and what is left out. Knows which form is whose.

One conversation that cannot be taken in does not keep the others out: it is named with the cause.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from conversations.exchange.chatgpt import Beside
from conversations.exchange.errors import ExchangeError, preview
from conversations.exchange.file import MAX_WHOLE, Archive, Member, open_file, read_member
from conversations.exchange.folder import Folder
from conversations.exchange.form import Form, Source
from conversations.exchange.forms import FORMS, OURS
from conversations.exchange.spool import Spool
from conversations.exchange.stream import Contents
from conversations.exchange.syntax import Unreadable
from prompts.persona import Persona

LISTS = ("conversations", "chats", "history", "items", "data")  # names under which others wrap their list
LOOKED_AT = 50  # items by which a form is recognised
JSON = re.compile(r"\.jsonl?$", re.IGNORECASE)  # what of a zip's other files should have been read
EMPTY = "it holds no conversation"
UNKNOWN = f"it is not a chat export that is known: {', '.join(form.name for form in FORMS)}"


def known_forms() -> list[str]:
    """The names of the programs whose files are read, this one first."""
    return [form.name for form in FORMS]


class UnknownFormError(ExchangeError):
    """No form is known for what stands in a file."""


class ParsedFile(Spool):
    """Conversations in our form, and what is not among them."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out: list[str] = []  # a line each: which conversation, and why
        self.empty = 0  # conversations without any message
        self.notes: list[str] = []  # what else of the file is not read, or not kept
        self.forms: list[str] = []  # whose forms were read
        self.personas: list[Persona] = []
        self.project: Mapping[str, Any] | None = None  # of ours, which the conversations are in
        self.folders: list[Folder] = []  # another program's projects, with what is in them
        self._seen = 0

    @property
    def programs(self) -> list[str]:
        """The other programs whose forms were read."""
        return [name for name in self.forms if name != OURS.name]

    def add(self, items: Iterable[Any], form: Form, source: Source) -> None:
        """Take in every item that can be; conversations are counted from 1 through the whole file."""
        for item in items:
            self._seen += 1
            try:
                conversation = _convert(item, form, source)
            except ExchangeError as error:
                self.left_out.append(f"conversation {self._seen}{_name(item)}{error}")
                continue
            if conversation["messages"] or form is OURS:
                self.append(conversation)
            else:
                self.empty += 1

    def finish(self, form: Form, source: Source) -> None:
        """Take in what lies beside the items, and note what is not kept."""
        for conversation in form.beside(source) if form.beside else ():
            self.append(conversation)
        if form.name not in self.forms:
            self.forms.append(form.name)
        lost = ", ".join(f"{what} ({count:,})" for what, count in source.lost.items())
        self.notes += [f"of {form.name}, not kept: {lost}"] if lost else []
        self.notes += source.remarks
        self.personas += source.personas
        self.project = source.project or self.project
        self.folders += [each for each in source.folders.values() if not each.is_empty]


def parse_stream(
    stream: BinaryIO, size: int, name: str, path: Path | None = None, whole: int = MAX_WHOLE
) -> ParsedFile:
    """The conversations of a file of `size` bytes, which lies at `path` if at all.

    Raises ExchangeError where there is none, naming the cause. Of more than `whole` bytes one item is in memory at a
    time.
    """
    archive, members = open_file(stream, size, name, path)
    parsed, wrong = ParsedFile(), list[str]()
    sources = dict[str, tuple[Form, Source]]()  # by form: what is lost is counted through all members
    beside = Beside.read(archive.beside, archive.names, archive.read)
    for member in members:
        begun = len(parsed)
        try:
            _take(member, archive, beside, parsed, sources, whole)
        except ExchangeError as error:
            parsed.cut(begun)
            if member.is_sure or (not isinstance(error, UnknownFormError) and JSON.search(member.name)):
                wrong.append(str(error) if len(members) == 1 else f"{preview(member.name)}: {error}")
    for form, source in sources.values():
        parsed.finish(form, source)
    parsed.notes += [*archive.notes, *beside.notes]
    _check_found(parsed, wrong, members)
    return parsed


def _take(
    member: Member,
    archive: Archive,
    beside: Beside,
    parsed: ParsedFile,
    sources: dict[str, tuple[Form, Source]],
    whole: int,
) -> None:
    """Add the conversations of one file. Raises ExchangeError where it is none, or is cut short."""
    contents = read_member(member, LISTS, whole)
    form, items = _recognize(contents)
    _, source = sources.setdefault(form.name, (form, Source(archive=archive, chatgpt=beside)))
    source.name, source.around = member.name, contents.around
    parsed.add(form.gather(items, source), form, source)


def _check_found(parsed: ParsedFile, wrong: list[str], members: Iterable[Member]) -> None:
    """Note what was not read. Raises ExchangeError where nothing was found, unless it is an export of nothing."""
    lines = [*parsed.left_out, *wrong]
    found = parsed or parsed.empty or parsed.personas or parsed.folders or parsed.project is not None
    if not found and lines:
        raise ExchangeError(lines[0] + (f"; {len(lines) - 1} more like it" if len(lines) > 1 else ""))
    if not found and not parsed.forms:
        names = ", ".join(preview(member.name) for member in islice(members, 3))
        raise ExchangeError(f"it is a zip without conversations.json, and of its files ({names}…) none is a chat")
    parsed.left_out += [f"a part of it: {why}" for why in wrong if why != EMPTY]


def _recognize(contents: Contents) -> tuple[Form, Iterator[Any]]:
    """The form of what stands there, and its items. Raises ExchangeError for no chats at all."""
    first = list(islice(contents.items, LOOKED_AT))
    known = [contents.around, *(item for item in first if isinstance(item, dict))]
    form = next((form for form in FORMS if any(form.recognizes(each) for each in known)), None)
    if form is not None:
        return form, chain(first, contents.items)
    if not first:
        raise UnknownFormError(EMPTY)
    if all(isinstance(item, Unreadable) for item in first):
        return OURS, chain(first, contents.items)
    raise UnknownFormError(UNKNOWN)


def _convert(item: Any, form: Form, source: Source) -> dict[str, Any]:
    """One conversation in our form. Raises ExchangeError."""
    if isinstance(item, Unreadable):
        raise ExchangeError(item.why)
    if not isinstance(item, dict):
        raise ExchangeError(f"{preview(item)}, not an object")
    try:
        return form.convert(item, source)
    except RecursionError:
        raise ExchangeError("it is nested too deep to be a chat") from None


def _name(item: Any) -> str:
    """What stands between a conversation's number and what is wrong with it: its title, where it has one."""
    if isinstance(item, Unreadable):
        return ": "
    if not isinstance(item, dict):
        return " is "
    title = next((item[name] for name in ("title", "name") if isinstance(item.get(name), str)), "")
    return f" ({preview(title)}): " if title else ": "
