"""The commands of a chat, each a line that begins with a slash. Knows the talk and the screen; no key and no chain."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from conversations import exchange
from settings import SettingsError
from terminal import archive, document
from terminal import persona as personas
from terminal.screen import Screen
from terminal.talk import Talk

LEAVE = {"exit", "quit", "/exit", "/quit"}
FORMS = {".md": "markdown", ".markdown": "markdown", ".json": "json"}
KEYS = """
Enter sends; Alt-Enter, or a backslash before Enter, begins another line. Arrow up brings back earlier messages.
Ctrl-C stops a reply; at the prompt it clears the line, and twice on an empty one it ends the chat.
A message may begin with a slash where a space stands before it."""


@dataclass(frozen=True)
class Command:
    """`run` takes what stands after the name."""

    usage: str
    meaning: str
    run: Callable[[Talk, Screen, str], None]


def obey(line: str, talk: Talk, screen: Screen) -> None:
    """Carry out a line. Raises SettingsError and ModelError kinds, in one line."""
    name, *rest = line.split(None, 1)
    if name not in COMMANDS:
        raise SettingsError(f"There is no command {name}.{personas.near(name, [*COMMANDS, *LEAVE])} /help lists them.")
    COMMANDS[name].run(talk, screen, "".join(rest).strip())


def words(talk: Talk) -> Iterator[str]:
    """What Tab completes to."""
    yield from (*COMMANDS, *sorted(word for word in LEAVE if word.startswith("/")))
    with suppress(SettingsError):  # a broken file is told by /persona
        yield from (f"/persona {name}" for name in ("random", "off", *personas.everybody()))
    yield from document.words(talk)
    if talk.chosen.url is None:
        yield from (f"/backend {status.name}" for status in talk.chosen.offered())


def _persona(talk: Talk, screen: Screen, name: str) -> None:
    current = talk.fields.get("persona") or {}
    if not name:
        everybody = personas.everybody().values()
        screen.rows(("*" if p.slug == current.get("slug") else "", p.slug, p.description) for p in everybody)
        return
    persona = None if name == "off" else personas.find(name)
    begun = talk.become(persona)
    who = f"{persona.name}: {persona.description}" if persona else "No persona."
    screen.say(f"{who} A new conversation begins." if begun else who)


def _backend(talk: Talk, screen: Screen, name: str) -> None:
    if name:
        talk.chosen = talk.chosen.switched(name)
        screen.say(f"{talk.chosen.name} answers from now on.")
        return
    listed = (
        (("*" if s.name == talk.chosen.name else ""), s.name, s.problem or "ready") for s in talk.chosen.offered()
    )
    screen.rows(listed)


def _reset(talk: Talk, screen: Screen, rest: str) -> None:
    kept = "A new conversation begins; the old one stays in the store."
    screen.say(kept if talk.reset() else "Nothing has been said yet in this conversation.")


def _save(talk: Talk, screen: Screen, name: str) -> None:
    if talk.identity is None:
        raise SettingsError("/save: nothing has been said yet in this conversation.")
    found = exchange.export_conversation(talk.store, talk.identity)
    path = _path(name or f"chat-{datetime.fromtimestamp(found['created']):%Y%m%d-%H%M%S}.md")
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise SettingsError(f"/save {name}: end the name in .md (for people) or .json (can be imported again).")
    if path.is_dir() or not path.parent.is_dir():
        raise SettingsError(f"/save {path}: name a file in a folder that is there.")
    if path.exists() and path.resolve() not in talk.saved:
        raise SettingsError(f"/save {path}: there is such a file already; choose another name.")
    archive.write([exchange.render_markdown(found)] if form == "markdown" else exchange.json_chunks([found]), path)
    talk.saved.add(path.resolve())
    screen.say(f"Written to {path}")


def _path(name: str) -> Path:
    """Raises SettingsError for the home of a person who is not there."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"/save {name}: {error} Name a folder without ~.") from error


def _help(talk: Talk, screen: Screen, rest: str) -> None:
    screen.rows(
        [*((each.usage, each.meaning) for each in COMMANDS.values()), ("exit", "ends the chat, as Ctrl-D does")]
    )
    screen.say(KEYS)


COMMANDS = {
    "/persona": Command("/persona [NAME|random|off]", "who answers: lists all, or begins anew with this one", _persona),
    "/backend": Command("/backend [NAME]", "what answers: lists all with what is missing, or switches", _backend),
    "/reset": Command("/reset", "begins a new conversation; the old one stays in the store", _reset),
    "/save": Command("/save [FILE]", "writes the conversation as Markdown (.md) or JSON (.json)", _save),
    "/attach": Command(
        "/attach FILE", "reads a document, which replies are made from until it is deleted", document.attach
    ),
    "/documents": Command("/documents", "lists the conversation's documents", document.show),
    "/detach": Command("/detach NAME|NUMBER", "deletes one of them", document.detach),
    "/find": Command("/find WORDS", "shows the places in them that fit, without asking a model", document.find),
    "/help": Command("/help", "shows this", _help),
}
