"""How much a model thinks: `/thinking` in a chat, and the key that ends the thinking of a reply.

Knows the chat and the screen; not how a model is told.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import backends
from conversations.replies import Reply, running_replies, steering, watch
from terminal.options import parse_effort
from terminal.screen import Screen
from terminal.state import ChatState

QUIT: signal.Signals | None = getattr(signal, "SIGQUIT", None)  # Ctrl-\; Windows has none
HINT = " Ctrl-\\ has it answer now."


def choose(chat: ChatState, screen: Screen, word: str) -> None:
    """Say how much the model thinks, or set it for this conversation, where the model knows it.

    Raises SettingsError, and ModelError kinds.
    """
    if word:
        set_effort(chat, parse_effort(word, "/thinking"))
    target = chat.answering
    known = steering.known_efforts(target.backend, target.model)
    offered = f" {target.label} knows usual, {backends.effort.describe(known)}." if known else ""
    screen.print(f"Thinking: {steering.describe(chat.effort)}.{offered}")


def set_effort(chat: ChatState, effort: str | None) -> None:
    """Have this conversation's models think so much. Raises ModelError kinds where the model does not know it."""
    if effort is not None:
        target = chat.answering
        steering.check_effort(target.settings, target.backend, effort, target.model)
    chat.set_effort(effort)


def wait_hint(reply: Reply | None) -> str:
    """What can be pressed while a reply thinks; nothing where its thinking cannot be ended."""
    return HINT if QUIT is not None and watch.can_answer_now(None, reply) else ""


@contextmanager
def answer_on_quit() -> Iterator[None]:
    """Ctrl-\\ has the replies of this process end their thinking, and answer."""
    if QUIT is None:
        yield
        return

    def handler(number: int, frame: FrameType | None) -> None:
        for reply in running_replies():
            reply.answer_now()

    before = signal.signal(QUIT, handler)
    try:
        yield
    finally:
        signal.signal(QUIT, before)
