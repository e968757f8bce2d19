"""The command `chat`: a conversation in a terminal, kept in the store. Knows how the parts are put together.

The store and the screen are imported when the command runs: the other commands start without them.
"""

from typing import Annotated

import typer

from settings import SettingsError
from terminal import persona as personas
from terminal.options import (
    Backend,
    MaxTokens,
    PersonaName,
    Project,
    Seed,
    System,
    Temperature,
    Thinking,
    TopK,
    TopP,
    Url,
    drop_unset,
    parse_effort,
)
from terminal.target import choose
from terminal.text import replace_unencodable


def chat(
    backend: Backend = None,
    url: Url = None,
    persona: PersonaName = None,
    system: System = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the last conversation")] = False,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="go on with this one")] = None,
    project: Project = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    top_k: TopK = None,
    max_tokens: MaxTokens = None,
    seed: Seed = None,
    thinking: Thinking = None,
    temporary: Annotated[
        bool, typer.Option("--temporary", help="keep nothing of it: it is in memory alone, and gone when it ends")
    ] = False,
) -> None:
    """Talk with the assistant; `/help` in the chat lists what can be typed. From a pipe each line is a message.

    Example: python cli.py chat --persona beekeeper

    Example: python cli.py chat --resume --url http://localhost:8501

    Exit: 0, 1 where a reply to a line of a pipe failed, 2 for a wrong setting or argument.
    """
    replace_unencodable()
    if (resume or conversation) and (persona or system is not None):
        raise SettingsError("--persona and --system begin a new conversation: leave --resume and --conversation out.")
    if temporary and (resume or conversation):
        raise SettingsError("--temporary begins a new conversation: leave --resume and --conversation out.")
    if resume and conversation:
        raise SettingsError("--resume and --conversation: give one of the two.")
    if project and temporary:
        raise SettingsError("--project and --temporary: give one of the two; what is in a project is kept.")
    if project and conversation:
        raise SettingsError("--project and --conversation: give one of the two; `/project move NAME` moves one.")
    personas.check_exclusive(system, persona)
    speaker = personas.find(persona) if persona else None
    options = drop_unset(temperature=temperature, top_p=top_p, top_k=top_k, max_tokens=max_tokens, seed=seed)
    target = choose(backend, url)
    from terminal import session
    from terminal import thinking as efforts

    state = session.open_chat(target, options, conversation, resume, temporary, project)
    state.is_picked = backend is not None
    if speaker is not None:
        state.set_persona(speaker)
    elif system is not None:
        state.new_fields |= {"system": system, "imported": False}
    if thinking is not None:
        efforts.set_effort(state, parse_effort(thinking))
    if not session.run(state):
        raise typer.Exit(1)
