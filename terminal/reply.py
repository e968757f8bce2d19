"""A reply as it comes in a terminal, stopped by Ctrl-C, and the line below it. Knows replies; no command."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from conversations.replies import NOTE, Reply, describe_wait, reply_metrics, running_replies, watch
from conversations.store import STATE_NOTES, Message, State, format_count
from documents.alignment import mark
from documents.source import Source
from terminal import source
from terminal.screen import Screen
from terminal.state import ChatState
from terminal.target import Target

STOP_TIMEOUT = 2.0  # seconds for a stopped reply to end
OVERFLOW = "ContextOverflowError"  # a reply's stop reason where its prompt had no room
RESET_HINT = "/reset begins a new conversation; this one stays in the store."


def converse(chat: ChatState, text: str, screen: Screen) -> bool:
    """Send a message and print its reply to the end; False where it failed. Raises as `ChatState.send`."""
    with stop_on_interrupt():
        row = chat.send(text)
        reply = watch.local_reply(chat.store.database, row.id)
        try:
            asyncio.run(_print_parts(chat, row.id, reply, screen))
        except OSError:  # nobody reads it any more
            if reply is not None:
                reply.stop()
                reply.wait(STOP_TIMEOUT)
            raise
    return print_summary(chat.store.message(row.id), chat.target, screen, chat.sources(row.id), text)


@contextmanager
def stop_on_interrupt() -> Iterator[None]:
    """Ctrl-C stops the replies of this process, once each; where none is left to stop it is a KeyboardInterrupt."""
    stopped: set[Reply] = set()

    def handler(number: int, frame: FrameType | None) -> None:
        left = set(running_replies()) - stopped
        if not left:
            raise KeyboardInterrupt
        stopped.update(left)
        for reply in left:
            reply.stop()

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _print_parts(chat: ChatState, message_id: int, reply: Reply | None, screen: Screen) -> None:
    """Print the text as it comes, and the end of its last line."""
    parts = watch.follow(chat.store, message_id)
    with screen.waiting(lambda: chat.target.reword(describe_wait(reply))):
        last = await anext(parts, "")
    screen.print_part(last)
    async for part in parts:
        screen.print_part(last := part)
    if last and not last.endswith("\n"):
        screen.print_part("\n")


def print_summary(
    row: Message, target: Target, screen: Screen, sources: Sequence[Source] = (), question: str = ""
) -> bool:
    """Print notes, sources and metrics below a reply to a question; False where it failed."""
    if row.extra and NOTE in row.extra:
        screen.print_note(row.extra[NOTE])
    for line in source.format_cited(sources, mark(row.text, tuple(sources), question)):
        screen.print_note(line)
    if row.state == State.FAILED:
        screen.error(format_failure(row, target))
        return False
    screen.print_note(format_metrics(row, target))
    return True


def format_failure(row: Message, target: Target) -> str:
    """The reason why there is no reply, with the remedy."""
    text = target.reword(row.error or "The reply failed.")
    # A window that nothing was dropped for: the conversation itself is too long.
    is_too_long = row.stop_reason == OVERFLOW and (target.url or row.window is None)
    return f"{text} {RESET_HINT}" if is_too_long else text


def format_metrics(row: Message, target: Target) -> str:
    """One line: who answered, tokens, speed, dropped messages, and how the reply ended."""
    other = row.backend not in {None, target.backend}
    speaker = f"{row.backend} in place of {target.backend}" if other else target.label
    parts = [speaker, *reply_metrics(row, with_first_token=False)]
    if row.dropped:
        parts.append(f"{format_count(row.dropped, 'earlier message')} dropped")
    if row.stop_reason == "length":
        parts.append("cut at the longest reply (MAX_TOKENS)")
    if row.state in STATE_NOTES:
        parts.append(row.state)
    return " · ".join(parts)
