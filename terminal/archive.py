"""The terminal's `export`, `import` and `vacuum`. Knows arguments, files and what is printed; no format and no table.

The store is imported when a command runs: the other commands start without it.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prompts.atomic_file import atomic_write
from settings import Settings, SettingsError
from terminal.text import strip_control

if TYPE_CHECKING:
    from conversations.exchange import FileFormat

MAX_LINES = 20  # lines that name what was left out, and names of owners
Owner = Annotated[str, typer.Option(help="whose conversations, as the store names him")]


class Format(StrEnum):
    """What a file is for: a program, people, or training."""

    json = "json"
    markdown = "markdown"
    html = "html"
    pdf = "pdf"
    jsonl = "jsonl"


def export(
    identity: Annotated[str | None, typer.Argument(metavar="[ID]", help="one conversation")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all of the owner's conversations")] = False,
    project: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="a project with its documents and conversations, as one file"),
    ] = None,
    file_format: Annotated[
        Format,
        typer.Option(
            "--format", help="json can be imported again; markdown, html and pdf are for people, jsonl for training"
        ),
    ] = Format.json,
    output: Annotated[
        Path | None, typer.Option(help="write this file instead of printing; with --all, html and pdf: a folder")
    ] = None,
    liked: Annotated[bool, typer.Option("--liked", help="of jsonl: only replies with a thumb up")] = False,
    owner: Owner = "terminal",
) -> None:
    """Write conversations out of the store.

    Example: python cli.py export --all --output mine.json

    Example: python cli.py export --all --format jsonl --liked --output liked.jsonl
    """
    from conversations import exchange

    form = exchange.FORMATS[_format_name(file_format, liked)]
    if project is not None:
        if identity is not None or everything or file_format is not Format.json:
            raise SettingsError("--project: leave the id, --all and --format out; it is written as json, as one.")
        _export_project(owner, project, output)
        return
    if (identity is None) != everything:
        raise SettingsError("Name one conversation by its id, or say --all.")
    with report_errors():
        store = _store(owner)
        conversations = (
            exchange.export_all(store) if identity is None else iter([exchange.export_conversation(store, identity)])
        )
        counted = _CountingIterator(conversations)
        if everything and form.is_single:
            _write_each(counted, form, output)
        else:
            write(form.write(counted), output)
    _report_export(store, counted.count, everything, output)


def _export_project(owner: str, name: str, output: Path | None) -> None:
    """Write a project as one file. Raises SettingsError."""
    from conversations import exchange
    from terminal.project import find

    with report_errors():
        store = _store(owner)
        row = find(store, name)
        write((text.encode() for text in exchange.export_project(store, row.id)), output)
    if output is not None:
        print(strip_control(f"The project {row.name} is written to {output}"))


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="ours or another program's (docs/import.md); zip too")
    ],
    owner: Owner = "terminal",
) -> None:
    """Read conversations into the store; one that cannot be read is named, and the others come in.

    Files of ChatGPT, Claude, Open WebUI, LibreChat, HF chat-ui, llama.cpp's page, LM Studio, Gemini, AI Studio,
    TypingMind, SillyTavern, DeepSeek, characters' cards, ShareGPT and plain messages are known by what stands in them.

    Example: python cli.py import conversations.json
    """
    from conversations import exchange
    from conversations.replies import held_here

    with report_errors():
        parsed = [(path, exchange.parse_file(path)) for path in files]
        found = [each for _, each in parsed]
        report = exchange.import_files(_store(owner), *found, hold=held_here)
    print(strip_control(exchange.summarize_import(report, *found)))
    left_out = [(path, line) for path, each in parsed for line in each.left_out]
    _print_left_out([*left_out, *((path, note) for path, each in parsed for note in each.notes)])
    for note in report.notes[:MAX_LINES]:
        print(strip_control(note), file=sys.stderr)


def _print_left_out(lines: list[tuple[Path, str]]) -> None:
    """Print what of which file was not taken in."""
    for path, line in lines[:MAX_LINES]:
        print(strip_control(f"{path}: {line}"), file=sys.stderr)
    if len(lines) > MAX_LINES:
        print(f"and {len(lines) - MAX_LINES:,} more", file=sys.stderr)


def _report_export(store: Any, count: int, everything: bool, output: Path | None) -> None:
    """Print whose conversations were written, beside them where they went to stdout, and who else has some."""
    whose = f" of {_printable(store.owner)}" if everything else ""
    if output is not None:
        print(f"{_count_conversations(count)}{whose} written to {output}")
    elif everything:
        print(f"{_count_conversations(count)}{whose} written", file=sys.stderr)
    if everything and (others := _others(store)):
        print(f"Others have conversations too; name one with --owner: {others}", file=sys.stderr)


def _others(store: Any) -> str:
    """The other owners, each with how many conversations he has."""
    from conversations.store import count_by_owner

    counts = {name: count for name, count in count_by_owner(store.database).items() if name != store.owner}
    named = [f"{_printable(name)} ({count:,})" for name, count in list(counts.items())[:MAX_LINES]]
    more = [f"{len(counts) - MAX_LINES:,} more"] if len(counts) > MAX_LINES else []
    return ", ".join([*named, *more])


def _printable(name: str) -> str:
    """An owner's name as it can be typed again, in one line."""
    return name if name.isprintable() and name.split() == [name] else ascii(name)


def vacuum() -> None:
    """Give back the space of what was deleted: after it no page of the database holds a deleted word.

    Example: python cli.py vacuum
    """
    with report_errors():
        _store("terminal").database.vacuum()
    print("What was deleted is in no table any more. Backups made before an upgrade are files of their own.")


class _CountingIterator:
    """Conversations as they come, and how many came."""

    def __init__(self, conversations: Iterable[dict[str, Any]]) -> None:
        self.conversations = conversations
        self.count = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for conversation in self.conversations:
            self.count += 1
            yield conversation


def _format_name(file_format: Format, liked: bool) -> str:
    """The name of the format. Raises SettingsError."""
    if liked and file_format is not Format.jsonl:
        raise SettingsError(f"--liked is for --format jsonl; --format {file_format} has every reply.")
    return "jsonl-liked" if liked else str(file_format)


def _write_each(conversations: Iterable[dict[str, Any]], form: "FileFormat", folder: Path | None) -> None:
    """Write each to a file of its own. Raises SettingsError."""
    from conversations.exchange import ending

    if folder is None or not folder.is_dir():
        given = "" if folder is None else f"={folder}"
        raise SettingsError(f"--output{given}: --all --format {form.name} writes a file for each: name a folder")
    for conversation in conversations:
        write(form.write([conversation]), folder / f"{conversation['id']}{ending(form.name)}")


def write(pieces: Iterable[bytes], output: Path | None) -> None:
    """Write to the terminal, or to a file that is whole or not there and that only its owner may read."""
    if output is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    if not output.parent.is_dir() or output.is_dir():
        raise SettingsError(f"--output={output}: name a file in a folder that is there")
    with atomic_write(output, private=True) as part, part.open("wb") as file:
        for piece in pieces:
            file.write(piece)


def _store(owner: str) -> Any:
    from conversations.store import open_store

    return open_store(Settings.read(), owner)


@contextmanager
def report_errors() -> Iterator[None]:
    """A block whose errors that a person can mend become one line and exit 2."""
    from sqlalchemy.exc import DBAPIError

    from conversations.exchange import ExchangeError
    from conversations.store import DatabaseError, NotFoundError

    try:
        yield
    except (NotFoundError, ExchangeError, DatabaseError) as error:
        why = str(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
    except DBAPIError as error:  # its own text would show what was being written
        why = f"The database refused it, nothing was written: {' '.join(str(error.orig).split())[:200]}"
    else:
        return
    print(why, file=sys.stderr)
    raise typer.Exit(2)


def _count_conversations(count: int) -> str:
    return f"{count} conversation{'' if count == 1 else 's'}"
