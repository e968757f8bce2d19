"""The commands of a chat, each a line that begins with a slash. Knows the chat and the screen; no key and no chain."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from conversations import exchange
from settings import SettingsError
from terminal import archive, call, document, project, reply, thinking
from terminal import persona as personas
from terminal.options import EFFORTS
from terminal.screen import Screen
from terminal.state import ChatState

EXIT_COMMANDS = {"exit", "quit", "/exit", "/quit"}
EXPORT_FORMATS = {".md": "markdown", ".markdown": "markdown", **{f".{name}": name for name in ("json", "html", "pdf")}}
SWITCH = {"on": True, "off": False}
KEY_HELP = """
Enter sends; Alt-Enter, or a backslash before Enter, begins another line. Arrow up brings back earlier messages.
Ctrl-C stops a reply; at the prompt it clears the line, and twice on an empty one it ends the chat.
Ctrl-\\ ends the thinking of a reply, and has it answer.
A message may begin with a slash where a space stands before it."""


@dataclass(frozen=True)
class Command:
    """A command of the chat; `run` takes what stands after its name."""

    usage: str
    meaning: str
    run: Callable[[ChatState, Screen, str], None]


def run_command(line: str, chat: ChatState, screen: Screen) -> None:
    """Run a line. Raises SettingsError and ModelError kinds, whose texts are one line."""
    name, *rest = line.split(None, 1)
    if name not in COMMANDS:
        raise SettingsError(
            f"There is no command {name}.{personas.suggest(name, [*COMMANDS, *EXIT_COMMANDS])} /help lists them."
        )
    COMMANDS[name].run(chat, screen, "".join(rest).strip())


def completions(chat: ChatState) -> Iterator[str]:
    """The lines that Tab completes to: commands, personas, documents, backends and models."""
    yield from (*COMMANDS, *sorted(word for word in EXIT_COMMANDS if word.startswith("/")))
    with suppress(SettingsError):  # /persona reports a broken file
        yield from (f"/persona {name}" for name in ("random", "off", *personas.list_personas()))
    yield from document.completions(chat)
    yield from project.completions(chat)
    yield from (f"/thinking {word}" for word in EFFORTS)
    if chat.target.url is None:
        yield from (f"/backend {status.name}" for status in chat.target.list_targets())


def _persona(chat: ChatState, screen: Screen, name: str) -> None:
    current = chat.effective.persona or {}
    if not name:
        available = personas.list_personas().values()
        screen.print_table(("*" if p.slug == current.get("slug") else "", p.slug, p.description) for p in available)
        return
    persona = None if name == "off" else personas.find(name)
    begun = chat.set_persona(persona)
    label = f"{persona.name}: {persona.description}" if persona else "No persona."
    screen.print(f"{label} A new conversation begins." if begun else label)


def _backend(chat: ChatState, screen: Screen, name: str) -> None:
    if name:
        chat.target, chat.is_picked = chat.target.switch(name), True
        screen.print(f"{chat.target.label} answers from now on.")
        return
    answering = chat.answering.label
    listed = ((("*" if s.name == answering else ""), s.name, s.problem or "ready") for s in chat.target.list_targets())
    screen.print_table(listed)


def _reset(chat: ChatState, screen: Screen, rest: str) -> None:
    kept = "" if chat.is_temporary else "; the old one stays in the store"
    notice = f"A new conversation begins{kept}."
    screen.print(notice if chat.reset() else "Nothing has been said yet in this conversation.")


def _save(chat: ChatState, screen: Screen, name: str) -> None:
    if chat.conversation_id is None:
        raise SettingsError("/save: nothing has been said yet in this conversation.")
    conversation = exchange.export_conversation(chat.store, chat.conversation_id)
    path = _path(name or f"chat-{datetime.fromtimestamp(conversation['created']):%Y%m%d-%H%M%S}.md")
    file_format = EXPORT_FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise SettingsError(f"/save {name}: end it in .md, .html, .pdf (for people) or .json (can be imported again).")
    if path.is_dir() or not path.parent.is_dir():
        raise SettingsError(f"/save {path}: name a file in a folder that is there.")
    if path.exists() and path.resolve() not in chat.written_files:
        raise SettingsError(f"/save {path}: there is such a file already; choose another name.")
    try:
        archive.write(exchange.FORMATS[file_format].write([conversation]), path)
    except exchange.ExchangeError as error:
        raise SettingsError(f"/save {path}: {error}") from error
    chat.written_files.add(path.resolve())
    screen.print(f"Written to {path}")


def _thoughts(chat: ChatState, screen: Screen, rest: str) -> None:
    """Print what the last reply that did thought, or have such shown as it comes, or not."""
    if rest in SWITCH:
        chat.shows_thoughts = SWITCH[rest]
        screen.print("What models think is shown as it comes." if SWITCH[rest] else "How long models think is shown.")
    elif rest:
        raise SettingsError(f"/thoughts {rest}: say on or off, or nothing.")
    elif (row := chat.last_thinking()) is None:
        screen.print("No reply of this conversation has thought.")
    else:
        screen.print(row.thinking or "")


def _path(name: str) -> Path:
    """The path, with `~` expanded. Raises SettingsError for a home that is not there."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"/save {name}: {error} Name a folder without ~.") from error


def _help(chat: ChatState, screen: Screen, rest: str) -> None:
    screen.print_table(
        [*((each.usage, each.meaning) for each in COMMANDS.values()), ("exit", "ends the chat, as Ctrl-D does")]
    )
    screen.print(KEY_HELP)


COMMANDS = {
    "/persona": Command("/persona [NAME|random|off]", "who answers: lists all, or begins anew with this one", _persona),
    "/backend": Command(
        "/backend [NAME]",
        "what answers, a backend or a model here: lists all, or switches",
        _backend,
    ),
    "/project": Command(
        "/project [NAME|off|new NAME|move [NAME]]",
        "a folder of conversations: lists all, opens, leaves or makes one, or moves this conversation; of the open one "
        "show, rename, system, persona, backend, tools, attach, detach, chats, search, delete",
        project.run,
    ),
    "/reset": Command("/reset", "begins a new conversation; the old one stays in the store", _reset),
    "/save": Command("/save [FILE]", "writes the conversation as .md, .html, .pdf or .json", _save),
    "/attach": Command(
        "/attach FILE",
        "reads a document, which replies are made from; a picture goes with the next message, where the model sees",
        document.attach,
    ),
    "/documents": Command("/documents", "lists the conversation's documents", document.list_all),
    "/embed": Command("/embed NAME|NUMBER", "has one of them searched by meaning too", document.embed),
    "/detach": Command("/detach NAME|NUMBER", "deletes one of them", document.detach),
    "/whole": Command("/whole [on|off]", "reads all of the documents, where the window holds it", document.whole),
    "/tools": Command("/tools [NAME…|off]", "what a model may call: lists all, or switches some on or off", call.tools),
    "/thinking": Command(
        "/thinking [usual|off|on|low|medium|high]", "how much the model thinks, where it knows that", thinking.choose
    ),
    "/continue": Command("/continue", "has the last reply go on where it was cut, be it in its thinking", reply.go_on),
    "/find": Command("/find WORDS", "shows the places in them that fit, without asking a model", document.find),
    "/thoughts": Command(
        "/thoughts [on|off]", "shows what the last reply thought; on: from now on as it comes", _thoughts
    ),
    "/help": Command("/help", "shows this", _help),
}
