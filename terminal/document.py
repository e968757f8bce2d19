"""The commands of a chat about documents: attach, list, search, delete. Knows the talk and the screen; no table."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from conversations.library import files
from conversations.store import Document
from documents.errors import DocumentError
from documents.kind import KINDS
from documents.progress import Progress
from documents.settings import DocumentSettings
from documents.source import source_of as shown
from settings import SettingsError
from terminal import file, source
from terminal.persona import near
from terminal.screen import Screen
from terminal.talk import Talk

NONE = "There are no documents in this conversation: /attach FILE adds one."


def attach(talk: Talk, screen: Screen, name: str) -> None:
    """Read a file and keep it with the conversation; one that has not begun begins with it."""
    if not name:
        raise SettingsError("/attach: name a file, such as /attach notes.pdf.")
    path = named(name)
    data, progress = file.content(path, DocumentSettings.read()), Progress(path.name)
    try:
        with talk.begun() as identity, screen.waiting(lambda: progress.note):
            row = files.add(talk.store, path.name, data, identity, progress.set_pages, progress.set_passages)
    except DocumentError as error:
        raise SettingsError(str(error)) from error
    screen.say(f"{row.name}: {', '.join(figures(row))}.")


def named(name: str) -> Path:
    """The file that was typed, or dragged into the terminal, which puts quotes round it. Raises SettingsError."""
    bare = name[1:-1] if len(name) > 2 and name[0] == name[-1] and name[0] in "'\"" else name
    try:
        return Path(bare).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"/attach {name}: {error} Name a folder without ~.") from error


def show(talk: Talk, screen: Screen, rest: str) -> None:
    """All documents of the conversation, numbered."""
    rows = listing(talk)
    screen.rows((f"[{number}]", row.name, *figures(row)) for number, row in enumerate(rows, 1))
    if not rows:
        screen.say(NONE)


def detach(talk: Talk, screen: Screen, name: str) -> None:
    """Delete one."""
    row = _one(listing(talk), name)
    files.delete(talk.store, row.id)
    screen.say(f"{row.name} is deleted, and with it what replies quoted of it.")


def find(talk: Talk, screen: Screen, words: str) -> None:
    """The places that fit some words, best first; no model is asked."""
    if not words:
        raise SettingsError("/find: say what is to be found, such as /find opening hours.")
    if talk.identity is None or not listing(talk):
        raise SettingsError(NONE)
    found = [shown(each) for each in files.search(talk.store, talk.identity, words)]
    for line in source.lines(found):
        screen.say(line)
    if not found:
        screen.say("Nothing found.")


def listing(talk: Talk) -> list[Document]:
    """The documents of the conversation, oldest first."""
    return [] if talk.identity is None else files.listing(talk.store, talk.identity)


def figures(row: Document) -> list[str]:
    """How many pages, where it has some, and passages."""
    counts = ([] if row.pages is None else [(row.pages, "page")]) + [(row.passages, "passage")]
    return [f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in counts]


def words(talk: Talk) -> Iterator[str]:
    """What Tab completes to: readable files of this folder, and documents by name."""
    with suppress(OSError):
        names = sorted(path.name for path in Path.cwd().iterdir() if path.suffix[1:].lower() in KINDS)
        yield from (f"/attach {name}" for name in names)
    yield from dict.fromkeys(f"/detach {row.name}" for row in listing(talk))


def _one(rows: Sequence[Document], name: str) -> Document:
    """The document of this number or name. Raises SettingsError."""
    if not rows:
        raise SettingsError(NONE)
    if name.isdecimal() and 0 < int(name) <= len(rows):
        return rows[int(name) - 1]
    found = [row for row in rows if row.name == name]
    if len(found) > 1:
        raise SettingsError(f"/detach {name}: {len(found)} documents have this name; give the number of one.")
    if not found:
        raise SettingsError(
            f"/detach {name}: there is no such document.{near(name, [row.name for row in rows])} /documents lists all."
        )
    return found[0]
