"""A chat from its first line to its last. Knows lines, state and screen; nothing of arguments."""

import logging
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from langchain_core.exceptions import ModelError

from conversations.replies import preload_model
from conversations.store import DatabaseError, MessageError, NotFoundError, open_store, open_temporary
from settings import SettingsError
from terminal import document, reply, slash
from terminal import project as projects
from terminal.line import LineReader, PipeReader, PromptReader
from terminal.screen import Screen, is_interactive
from terminal.state import ChatState
from terminal.target import Target

OWNER = "terminal"
EXPECTED_ERRORS = (SettingsError, ModelError, MessageError, DatabaseError)  # their texts are lines for people


def open_chat(
    target: Target,
    options: Mapping[str, Any],
    conversation_id: str | None,
    resume: bool,
    temporary: bool = False,
    project: str | None = None,
) -> ChatState:
    """The chat of this conversation, of the last one, or a new one, be it temporary or of a project that is named.

    Raises SettingsError.
    """
    try:
        store = open_temporary() if temporary else open_store(target.settings, OWNER)
        chat = ChatState(store, target, options)
        if project is not None:
            chat.open_project(projects.find(chat.store, project).id)
        within = chat.new_fields.get("project_id")
        conversation = (
            chat.store.get(conversation_id) if conversation_id else chat.store.newest_chat(within) if resume else None
        )
    except (DatabaseError, NotFoundError) as error:
        raise SettingsError(str(error)) from error
    if conversation is not None:
        chat.resume(conversation)
    elif resume:
        print("There is no conversation yet: a new one begins.", file=sys.stderr)
    return chat


def run(chat: ChatState) -> bool:
    """Run a chat to its end; False where a message of a pipe got no reply. Raises SettingsError."""
    screen = Screen()
    try:
        with _mute_logs():
            return _run(chat, screen)
    except DatabaseError as error:
        raise SettingsError(str(error)) from error


@contextmanager
def _mute_logs() -> Iterator[None]:
    """A block without the logs of replies: their errors are printed below the reply."""
    loggers = [logging.getLogger(name) for name in ("conversations.replies.reply", "conversations.replies.preload")]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


def _run(chat: ChatState, screen: Screen) -> bool:
    if not is_interactive():
        return _loop(chat, PipeReader(), screen)
    if chat.target.url is None:
        preload_model(answering(chat).backend, chat.target.settings)
    _greet(chat, screen)
    reply.settle_last(chat, screen)
    _loop(chat, PromptReader(chat.recent_questions(), partial(slash.completions, chat), screen.print_note), screen)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # one more Ctrl-C, while threads end, is no traceback
    if chat.conversation_id is not None and not chat.is_temporary:
        screen.print_note(f"python cli.py chat --conversation {chat.conversation_id} goes on with this.")
    return True


def answering(chat: ChatState) -> Target:
    """What answers, to be told at the start; what cannot is named once something is asked."""
    try:
        return chat.answering
    except SettingsError:
        return chat.target


def _greet(chat: ChatState, screen: Screen) -> None:
    """Print who answers, the documents, and the last two messages."""
    target = answering(chat)
    reason = target.reason if target == chat.target else "the project names it"
    screen.print_note(f"{target.label} ({reason}). /help lists the commands, exit ends the chat.")
    if chat.is_temporary:
        screen.print_note("A temporary chat: nothing of it is kept, and it is gone when this ends.")
    if project := chat.project:
        screen.print_note(f"Project: {project.name}")
    if persona := chat.effective.persona:
        screen.print_note(f"{persona['name']}: {persona['description']}")
    if documents := document.documents_of(chat):
        screen.print_note(f"Documents: {', '.join(row.name for row in documents)}")
    if chat.conversation_id is not None:
        thread = chat.store.thread(chat.conversation_id, 2)
        for message in thread.messages:
            if not message.hidden:
                names = "".join(f"[{each.name}] " for each in thread.pictures.get(message.id, ()))
                screen.print(f"{'> ' if message.role == 'user' else ''}{names}{message.text}")


def _loop(chat: ChatState, lines: LineReader, screen: Screen) -> bool:
    """Run line by line; False where one of them failed."""
    succeeded = True
    while (line := lines.read()) is not None and line.strip() not in slash.EXIT_COMMANDS:
        try:
            succeeded = _run_line(line, chat, screen) and succeeded
        except KeyboardInterrupt:
            if isinstance(lines, PipeReader):
                raise
    return succeeded


def _run_line(line: str, chat: ChatState, screen: Screen) -> bool:
    """Run a message or command; False where it failed, with the reason printed."""
    try:
        if line.startswith("/"):
            slash.run_command(line, chat, screen)
            return True
        return not line.strip() or reply.converse(chat, line, screen)
    except EXPECTED_ERRORS as error:
        screen.error(chat.target.reword(str(error)))
    except NotFoundError as error:
        screen.error(f"{error} It was deleted. {reply.RESET_HINT}")
    except BrokenPipeError:
        raise
    except OSError as error:
        screen.error(f"{error.filename or 'stdout'}: {error.strerror}")
    return False
