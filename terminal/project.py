"""Projects in a terminal: `/project` in a chat, found by name. Knows the chat and the screen; no table.

What is set here holds in each conversation of the project that does not say otherwise itself.
"""

from collections.abc import Callable, Iterator

import backends
from conversations.library import files
from conversations.store import Project, Store, format_count, projects, search_conversations
from settings import SettingsError
from terminal import document
from terminal import persona as personas
from terminal.persona import suggest
from terminal.screen import Screen, is_interactive
from terminal.state import ChatState
from tools import list_tools

OFF = "off"
KEEP, ALL = {"k", "keep"}, {"a", "all"}
QUESTION = "[k]eep them, delete [a]ll of them too, or [c]ancel? "
REMEDY = "/project NAME opens one, /project new NAME makes one."
MAX_LISTED = 50  # conversations in a list
Act = Callable[[ChatState, Screen, Project, str], None]


def run(chat: ChatState, screen: Screen, rest: str) -> None:
    """List the projects, open one, leave it, or do something with the open one. Raises SettingsError, MessageError."""
    word, _, more = rest.partition(" ")
    if not rest:
        _list_all(chat, screen)
    elif word in ("new", "open") and more.strip():
        row = projects.create(chat.store, more) if word == "new" else find(chat.store, more.strip())
        _open(chat, screen, row)
    elif rest == OFF:
        begun = chat.open_project(None)
        screen.print(f"In no project.{' A new conversation begins.' if begun else ''}")
    elif word == "move":
        _move(chat, screen, find(chat.store, more.strip()) if more.strip() else None)
    elif word in ACTIONS:
        if (project := chat.project) is None:
            raise SettingsError(f"/project {word}: no project is open. {REMEDY}")
        ACTIONS[word](chat, screen, project, more.strip())
    else:
        _open(chat, screen, find(chat.store, rest))


def find(store: Store, name: str) -> Project:
    """The owner's project of this name or id. Raises SettingsError that suggests near ones."""
    rows = projects.listing(store)
    exact = [row for row in rows if name in (row.id, row.name)]
    matches = exact or [row for row in rows if row.name.casefold() == name.casefold()]
    if len(matches) > 1:
        ids = ", ".join(row.id for row in matches)
        raise SettingsError(f"There are {len(matches)} projects {name!r}: name one by its id: {ids}.")
    if not matches:
        raise SettingsError(
            f"There is no project {name!r}.{suggest(name, [row.name for row in rows])} `/project` in a chat lists all."
        )
    return projects.get(store, matches[0].id)


def completions(chat: ChatState) -> Iterator[str]:
    """The lines that Tab completes to."""
    yield from (f"/project {row.name}" for row in projects.listing(chat.store))
    yield from (f"/project {word}" for word in ("new", OFF, "move", *ACTIONS))


def _list_all(chat: ChatState, screen: Screen) -> None:
    rows, current = projects.listing(chat.store), chat.project
    inside = projects.counts(chat.store)
    counted = [(row, format_count(inside.get(row.id, 0), "conversation")) for row in rows]
    screen.print_table(("*" if current and row.id == current.id else "", row.name, said) for row, said in counted)
    if not rows:
        screen.print("There are no projects: /project new NAME makes one.")


def _open(chat: ChatState, screen: Screen, project: Project) -> None:
    begun = chat.open_project(project.id)
    screen.print(f"Project: {project.name}.{' A new conversation begins.' if begun else ''}")


def _move(chat: ChatState, screen: Screen, project: Project | None) -> None:
    """Move the conversation that is open into a project, or out of its own."""
    if chat.conversation_id is None:
        raise SettingsError("/project move: nothing has been said yet in this conversation.")
    projects.move(chat.store, chat.conversation_id, project.id if project else None)
    chat.new_fields["project_id"] = project.id if project else None
    screen.print(
        f"This conversation is in {project.name} now." if project else "This conversation is in no project now."
    )


def _show(chat: ChatState, screen: Screen, project: Project, rest: str) -> None:
    """Print what holds in the project."""
    rows = [
        ("name", project.name),
        ("system", project.system or "as usual"),
        ("persona", str(project.persona["name"]) if project.persona else "none"),
        ("backend", ":".join(filter(None, (project.backend, project.model))) or "as usual"),
        ("tools", "as usual" if project.tools is None else ", ".join(project.tools) or "none"),
        ("documents", ", ".join(row.name for row in files.project_listing(chat.store, project.id)) or "none"),
        ("conversations", str(projects.count(chat.store, project.id))),
    ]
    screen.print_table(rows)


def _set(chat: ChatState, screen: Screen, project: Project, **fields: object) -> None:
    _show(chat, screen, projects.update(chat.store, project.id, **fields), "")


def _rename(chat: ChatState, screen: Screen, project: Project, name: str) -> None:
    _set(chat, screen, project, name=name)


def _system(chat: ChatState, screen: Screen, project: Project, text: str) -> None:
    if len(text) > projects.MAX_SYSTEM:
        raise SettingsError(f"/project system: it has {len(text):,} characters, and {projects.MAX_SYSTEM:,} are kept.")
    if not text:
        raise SettingsError("/project system: say what it is, or off.")
    _set(chat, screen, project, system=None if text == OFF else text)


def _persona(chat: ChatState, screen: Screen, project: Project, name: str) -> None:
    _set(chat, screen, project, persona=None if name == OFF else personas.find(name).to_dict())


def _backend(chat: ChatState, screen: Screen, project: Project, name: str) -> None:
    chosen = None if name == OFF else backends.check_name(name, "/project backend")
    _set(chat, screen, project, backend=chosen, model=None)


def _tools(chat: ChatState, screen: Screen, project: Project, rest: str) -> None:
    known = {info.name: info for info in list_tools(chat.target.settings)}
    names = [] if rest == OFF else rest.split()
    for name in names:
        if name not in known:
            raise SettingsError(f"/project tools {name}: there is none.{suggest(name, known)} /tools lists all.")
        if problem := known[name].availability_error:
            raise SettingsError(f"/project tools {name}: {problem}.")
    _set(chat, screen, project, tools=list(dict.fromkeys(names)) if rest else None)


def _attach(chat: ChatState, screen: Screen, project: Project, name: str) -> None:
    document.keep(chat.store, screen, name, project_id=project.id)


def _detach(chat: ChatState, screen: Screen, project: Project, name: str) -> None:
    row = document.pick(files.project_listing(chat.store, project.id), name, "/project detach")
    files.delete(chat.store, row.id)
    screen.print(f"{row.name} is deleted, and with it what replies quoted of it.")


def _chats(chat: ChatState, screen: Screen, project: Project, rest: str) -> None:
    rows = projects.conversations(chat.store, project.id, MAX_LISTED)
    screen.print_table(("*" if row.id == chat.conversation_id else "", row.id, row.title) for row in rows)
    if not rows:
        screen.print("There is no conversation in it yet.")


def _search(chat: ChatState, screen: Screen, project: Project, words: str) -> None:
    found = search_conversations(chat.store, words, project_id=project.id)
    screen.print_table((hit.conversation_id, hit.title, hit.snippet) for hit in found)
    if not found:
        screen.print("Nothing found.")


def _delete(chat: ChatState, screen: Screen, project: Project, word: str) -> None:
    """Delete the project, once somebody has said what becomes of its conversations."""
    inside = format_count(projects.count(chat.store, project.id), "conversation")
    if not word and is_interactive():
        screen.print_part(f"Delete {project.name} with its documents. Its {inside}: {QUESTION}")
        word = input().strip().lower()
    if word not in KEEP | ALL:
        raise SettingsError(f"/project delete: nothing is deleted. Say what becomes of its {inside}: keep or all.")
    chat.open_project(None)
    projects.delete(chat.store, project.id, with_conversations=word in ALL)
    became = f"its {inside} {'with it' if word in ALL else 'kept'}"
    screen.print(f"{project.name} is deleted, {became}.")


ACTIONS: dict[str, Act] = {
    "show": _show,
    "rename": _rename,
    "system": _system,
    "persona": _persona,
    "backend": _backend,
    "tools": _tools,
    "attach": _attach,
    "detach": _detach,
    "chats": _chats,
    "search": _search,
    "delete": _delete,
}
