"""Calls of tools in a terminal: which tools are on, what a reply called, and the person's leave for one that waits.

Knows the chat and the screen; not how a call is carried out.
"""

from conversations.replies import approval
from conversations.store import AnsweredError, Decision, ToolCall, format_count
from settings import SettingsError
from terminal.persona import suggest
from terminal.screen import Screen, is_interactive
from terminal.state import ChatState
from tools import list_tools

ANSWERS = {"y": Decision.ONCE, "yes": Decision.ONCE, "a": Decision.ALWAYS, "always": Decision.ALWAYS}
ANSWERS |= {"n": Decision.NO, "no": Decision.NO, "never": Decision.NEVER}
PROMPT = "Allow it? [y]es once, [a]lways in this conversation, [n]o: "
LONGEST = 400  # characters of a result that are shown
UNASKED = "Nobody can be asked here: answer it in the page, or with `python cli.py chat --conversation {}`."


def tools(chat: ChatState, screen: Screen, rest: str) -> None:
    """List the tools, or switch those that are named on or off. Raises SettingsError."""
    infos = {info.name: info for info in list_tools(chat.target.settings)}
    on = chat.tools
    for name in rest.split():
        if name == "off":
            on = []
        elif name not in infos:
            raise SettingsError(f"/tools {name}: there is no such tool.{suggest(name, infos)} /tools lists all.")
        elif name in on:
            on = [other for other in on if other != name]
        elif problem := infos[name].availability_error:
            raise SettingsError(f"/tools {name}: {problem}.")
        else:
            on = [*on, name]
    if rest:
        chat.set_tools(on)
    rows = [
        ("*" if info.name in on else "", info.name, info.availability_error or info.title) for info in infos.values()
    ]
    screen.print_table(rows)


def print_call(call: ToolCall, screen: Screen) -> None:
    """Print a call that is over as a line beside the reply."""
    seconds = "" if call.seconds is None else f" · {call.seconds:.1f} s"
    result = " ".join((call.result or "").split())
    short = result if len(result) <= LONGEST else result[:LONGEST] + "…"
    screen.print_note(f"{call.name} {call.arguments} · {call.status}{seconds}: {short}")


def ask(chat: ChatState, call: ToolCall, screen: Screen) -> bool:
    """Ask the person for leave, and hand his answer on; False where he gives none: the call waits on."""
    origin = f" of {call.origin}" if call.origin != "own" else ""
    screen.print(f"{call.name}{origin} asks to be called with {call.arguments}")
    if call.passage:
        screen.print(f"Words of strangers stand in this conversation, the last from {call.passage['source']}:")
        screen.print(f"> {' '.join(str(call.passage['text']).split())[:LONGEST]}")
    try:
        while (decision := ANSWERS.get(_read(screen).strip().lower())) is None:
            screen.print(f"Type one of {', '.join(ANSWERS)}.")
        approval.answer(chat.store, call.id, decision, "terminal", chat.request)
    except EOFError:
        screen.print_note("The call waits for an answer here, or in another window of yours.")
        return False
    except AnsweredError as error:  # in another window
        screen.print_note(str(error))
    return True


def _read(screen: Screen) -> str:
    screen.print_part(PROMPT)
    return input()


def can_ask() -> bool:
    """Whether somebody sits here."""
    return is_interactive()


def describe_waiting(count: int, conversation_id: str | None) -> str:
    """What is said where calls wait and nobody can be asked."""
    return f"{format_count(count, 'call')} of tools wait{'s' if count == 1 else ''}. {UNASKED.format(conversation_id)}"
