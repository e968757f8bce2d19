"""The commands of a chat about its files: attach, list, search, delete. Knows the chat and the screen; no table."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from conversations.library import files
from conversations.store import Document, Store
from documents.errors import DocumentError
from documents.kind import KINDS, counted_units
from documents.pictures.attached import is_shown
from documents.pictures.picture import PictureError
from documents.pictures.prepare import check_count, prepare
from documents.pictures.settings import PictureSettings
from documents.progress import Progress
from documents.search import TOP_K
from documents.settings import DocumentSettings
from documents.source import sources_of
from settings import SettingsError
from terminal import file, picture, source
from terminal.persona import suggest
from terminal.screen import Screen
from terminal.state import ChatState

MEANING = " Words in it are found now; what is meant too, when /documents no longer counts."
NO_DOCUMENTS = "There are no documents in this conversation: /attach FILE adds one."


def attach(chat: ChatState, screen: Screen, name: str) -> None:
    """Take a file: a picture is shown with the next message to a model that sees, all else is read and kept."""
    _check_given(name)
    path = parse_path(name)
    data = file.read_file(path, DocumentSettings.read())
    if is_shown(data) and picture.vision_error(chat.answering) is None:
        _show(chat, screen, path.name, data)
        return
    if is_shown(data):
        screen.print_note(f"{chat.answering.label} cannot see pictures: the text in {path.name} is read.")
    with chat.ensure_conversation() as conversation_id:
        keep(chat.store, screen, name, conversation_id)


def _check_given(name: str) -> None:
    if not name:
        raise SettingsError("/attach: name a file, such as /attach notes.pdf.")


def keep(
    store: Store, screen: Screen, name: str, conversation_id: str | None = None, project_id: str | None = None
) -> None:
    """Read a file and keep it with a conversation or a project. Raises SettingsError."""
    _check_given(name)
    path = parse_path(name)
    data, progress = file.read_file(path, DocumentSettings.read()), Progress(path.name, unit=counted_units(path.name))
    try:
        with screen.waiting(lambda: progress.label):
            told = (progress.set_pages, progress.set_notice)
            row = files.add(store, path.name, data, conversation_id, *told, project_id=project_id)
    except DocumentError as error:
        raise SettingsError(str(error)) from error
    screen.print(f"{row.name}: {', '.join(files.describe(row))}.{MEANING if row.embedding else ''}")
    if progress.notice is not None:
        screen.print(progress.notice)


def _show(chat: ChatState, screen: Screen, name: str, data: bytes) -> None:
    """Keep a picture for the next message. Raises SettingsError."""
    try:
        check_count(len(chat.pictures) + 1, PictureSettings.read())
        chat.pictures.append(prepare(name, data))
    except PictureError as error:
        raise SettingsError(str(error)) from error
    taken = chat.pictures[-1]
    screen.print(f"{taken.name}: a picture of {taken.width} x {taken.height}, which goes with the next message.")


def parse_path(name: str) -> Path:
    """The file that was typed, or dragged into the terminal, which puts quotes round it. Raises SettingsError."""
    bare = name[1:-1] if len(name) > 2 and name[0] == name[-1] and name[0] in "'\"" else name
    try:
        return Path(bare).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"/attach {name}: {error} Name a folder without ~.") from error


def list_all(chat: ChatState, screen: Screen, rest: str) -> None:
    """Print the documents of the conversation, numbered, those of its project, and what goes with the next message."""
    rows, shared = documents_of(chat), project_documents(chat)
    screen.print_table((f"[{number}]", row.name, *files.describe(row)) for number, row in enumerate(rows, 1))
    screen.print_table(("project", row.name, *files.describe(row)) for row in shared)
    for each in chat.pictures:
        screen.print(f"{each.name} goes with the next message.")
    if not (rows or shared or chat.pictures):
        screen.print(NO_DOCUMENTS)


def embed(chat: ChatState, screen: Screen, name: str) -> None:
    """Have the document of a name or number searched by meaning too, in the background. Raises SettingsError."""
    row = pick([*documents_of(chat), *project_documents(chat)], name, "/embed")
    files.embed(chat.store, row.id)
    screen.print(f"{row.name}: {', '.join(files.describe(files.get(chat.store, row.id)))}.")


def detach(chat: ChatState, screen: Screen, name: str) -> None:
    """Delete the document of a name or number, or leave a picture out of the next message. Raises SettingsError."""
    kept = [each for each in chat.pictures if each.name != name]
    if len(kept) < len(chat.pictures):
        chat.pictures = kept
        screen.print(f"{name} does not go with the next message.")
        return
    row = pick(documents_of(chat), name, "/detach")
    files.delete(chat.store, row.id)
    screen.print(f"{row.name} is deleted, and with it what replies quoted of it.")


def whole(chat: ChatState, screen: Screen, word: str) -> None:
    """Have the documents read whole, or by passages; without a word say which. Raises SettingsError."""
    if chat.conversation_id is None or not (documents_of(chat) or project_documents(chat)):
        raise SettingsError(NO_DOCUMENTS)
    if word not in {"", "on", "off"}:
        raise SettingsError(f"/whole {word}: say on or off.")
    if word:
        chat.store.update(chat.conversation_id, whole=word == "on")
    is_whole = chat.store.get(chat.conversation_id).whole
    screen.print(f"The documents are read {'whole, where they fit' if is_whole else 'by passages'}.")


def find(chat: ChatState, screen: Screen, question: str) -> None:
    """Print the passages that fit some words, best first; no model is asked. Raises SettingsError."""
    if not question:
        raise SettingsError("/find: say what is to be found, such as /find opening hours.")
    rows = [*documents_of(chat), *project_documents(chat)]
    if not rows:
        raise SettingsError(NO_DOCUMENTS)
    index = files.document_retriever(chat.store, [row.id for row in rows]).index
    sources = sources_of(index.search(question, TOP_K))
    for line in source.format_sources(sources):
        screen.print(line)
    if not sources:
        screen.print("Nothing found.")


def documents_of(chat: ChatState) -> list[Document]:
    """The documents of the conversation, oldest first."""
    return [] if chat.conversation_id is None else files.listing(chat.store, chat.conversation_id)


def project_documents(chat: ChatState) -> list[Document]:
    """The documents of the conversation's project, oldest first."""
    project = chat.project
    return [] if project is None else files.project_listing(chat.store, project.id)


def completions(chat: ChatState) -> Iterator[str]:
    """The lines that Tab completes to: readable files of this folder, and documents by name."""
    with suppress(OSError):
        names = sorted(path.name for path in Path.cwd().iterdir() if path.suffix[1:].lower() in KINDS)
        yield from (f"/attach {name}" for name in names)
    for row in documents_of(chat):
        yield from (f"{command} {row.name}" for command in ("/detach", "/embed"))
    yield from (f"/detach {each.name}" for each in chat.pictures)


def pick(rows: Sequence[Document], name: str, command: str) -> Document:
    """The document of this number or name. Raises SettingsError."""
    if not rows:
        raise SettingsError(NO_DOCUMENTS)
    if name.isdecimal() and 0 < int(name) <= len(rows):
        return rows[int(name) - 1]
    matches = [row for row in rows if row.name == name]
    if len(matches) > 1:
        raise SettingsError(f"{command} {name}: {len(matches)} documents have this name; give the number of one.")
    if not matches:
        raise SettingsError(
            f"{command} {name}: there is no such document.{suggest(name, [r.name for r in rows])} /documents lists all."
        )
    return matches[0]
