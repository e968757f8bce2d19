"""A chat from its first line to its last. Knows talk, lines and screen; nothing of arguments."""

import logging
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from langchain_core.exceptions import ModelError

from conversations.replies import preload_model
from conversations.store import DatabaseError, MessageError, NotFoundError, open_store
from settings import SettingsError
from terminal import document, reply, slash
from terminal.choice import Chosen
from terminal.line import Lines, Piped, Typed
from terminal.screen import Screen, terminal
from terminal.talk import Talk

OWNER = "terminal"
PLAIN = (SettingsError, ModelError, MessageError, DatabaseError)  # their texts are lines for people


def opened(chosen: Chosen, options: Mapping[str, Any], identity: str | None, resume: bool) -> Talk:
    """The conversation of this id, the last one, or a new one. Raises SettingsError."""
    try:
        talk = Talk(open_store(chosen.settings, OWNER), chosen, options)
        found = talk.store.get(identity) if identity else talk.last() if resume else None
    except (DatabaseError, NotFoundError) as error:
        raise SettingsError(str(error)) from error
    if found is not None:
        talk.resume(found)
    elif resume:
        print("There is no conversation yet: a new one begins.", file=sys.stderr)
    return talk


def run(talk: Talk) -> bool:
    """Until the end; False where a message of a pipe got no reply. Raises SettingsError."""
    screen = Screen()
    try:
        with _quiet():
            return _run(talk, screen)
    except DatabaseError as error:
        raise SettingsError(str(error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """What these log is told below the reply."""
    told = [logging.getLogger(name) for name in ("conversations.replies.reply", "conversations.replies.preload")]
    before = [each.level for each in told]
    for each in told:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(told, before, strict=True):
            each.setLevel(level)


def _run(talk: Talk, screen: Screen) -> bool:
    if not terminal():
        return _loop(talk, Piped(), screen)
    if talk.chosen.url is None:
        preload_model(talk.chosen.backend, talk.chosen.settings)
    _greet(talk, screen)
    _loop(talk, Typed(talk.said(), partial(slash.words, talk), screen.note), screen)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # one more Ctrl-C, while threads end, is no traceback
    if talk.identity is not None:
        screen.note(f"python cli.py chat --conversation {talk.identity} goes on with this.")
    return True


def _greet(talk: Talk, screen: Screen) -> None:
    """Who answers, and what was said last."""
    screen.note(f"{talk.chosen.name} ({talk.chosen.reason}). /help lists the commands, exit ends the chat.")
    persona = talk.fields.get("persona")
    if persona:
        screen.note(f"{persona['name']}: {persona['description']}")
    if documents := document.listing(talk):
        screen.note(f"Documents: {', '.join(row.name for row in documents)}")
    if talk.identity is not None:
        for message in talk.store.thread(talk.identity, 2).messages:
            screen.say(f"> {message.text}" if message.role == "user" else message.text)


def _loop(talk: Talk, lines: Lines, screen: Screen) -> bool:
    """Line by line; False where one of them failed."""
    fine = True
    while (line := lines.read()) is not None and line.strip() not in slash.LEAVE:
        try:
            fine = _line(line, talk, screen) and fine
        except KeyboardInterrupt:
            if isinstance(lines, Piped):
                raise
    return fine


def _line(line: str, talk: Talk, screen: Screen) -> bool:
    """One message or command; False where it failed, and why is said."""
    try:
        if line.startswith("/"):
            slash.obey(line, talk, screen)
            return True
        return not line.strip() or reply.converse(talk, line, screen)
    except PLAIN as error:
        screen.wrong(talk.chosen.told(str(error)))
    except NotFoundError as error:
        screen.wrong(f"{error} It was deleted. {reply.RESET}")
    except BrokenPipeError:
        raise
    except OSError as error:
        screen.wrong(f"{error.filename or 'stdout'}: {error.strerror}")
    return False
