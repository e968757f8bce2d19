"""A reply as it comes in a terminal, stopped by Ctrl-C, and the line below it. Knows replies; no command.

What a model thinks is no part of the reply: a line says how long it did, and who wants to sees it come (`/thoughts`).
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from conversations.replies import NOTE, Reply, ThinkingPart, describe_wait, reply_metrics, running_replies, watch
from conversations.store import STATE_NOTES, Message, State, format_count
from documents.alignment import mark
from documents.source import Source
from terminal import call, source
from terminal.screen import Screen
from terminal.state import ChatState
from terminal.target import Target
from terminal.thinking import answer_on_quit, wait_hint

STOP_TIMEOUT = 2.0  # seconds for a stopped reply to end
OVERFLOW = "ContextOverflowError"  # a reply's stop reason where its prompt had no room
RESET_HINT = "/reset begins a new conversation; this one stays in the store."


def converse(chat: ChatState, text: str, screen: Screen) -> bool:
    """Send a message and print its reply to the end; False where it failed. Raises as `ChatState.send`."""
    with stop_on_interrupt():
        row = chat.send(text)
        _print_reply(chat, row, screen)
    row = settle(chat, row.id, screen)
    return print_summary(row, chat.answering, screen, chat.sources(row.id), text)


def go_on(chat: ChatState, screen: Screen, rest: str) -> None:
    """Have the last reply, which was cut short, go on, and print what comes. Raises as `ChatState.go_on`."""
    with stop_on_interrupt():
        row = chat.go_on()
        _print_reply(chat, row, screen)
    print_summary(settle(chat, row.id, screen), chat.answering, screen, chat.sources(row.id))


def settle_last(chat: ChatState, screen: Screen) -> None:
    """Ask for leave where the last reply of the conversation waits for it."""
    if chat.conversation_id is not None and (waiting := chat.store.waiting_calls(chat.conversation_id)):
        row = settle(chat, waiting[0].message_id, screen)
        print_summary(row, chat.answering, screen, chat.sources(row.id))


def _print_reply(chat: ChatState, row: Message, screen: Screen) -> None:
    """Print what a reply says, and thinks, beyond its row, as it comes. Raises OSError where nobody reads it."""
    reply = watch.local_reply(chat.store.database, row.id)
    try:
        asyncio.run(_print_parts(chat, row, reply, screen))
    except OSError:  # nobody reads it any more
        if reply is not None:
            reply.stop()
            reply.wait(STOP_TIMEOUT)
        raise


def settle(chat: ChatState, message_id: int, screen: Screen) -> Message:
    """The reply once it waits for nobody: what it calls is printed, and the person is asked for leave."""
    told = 0
    while True:
        row, calls = chat.store.message(message_id), chat.store.calls(message_id)
        over = [each for each in calls if not each.waiting]
        for each in over[told:]:
            call.print_call(each, screen)
        told, waiting = len(over), [each for each in calls if each.waiting]
        if not waiting or row.state != State.REQUIRES_ACTION:
            return row
        if not call.can_ask():
            screen.print_note(call.describe_waiting(len(waiting), chat.conversation_id))
            return row
        if not all(call.ask(chat, each, screen) for each in waiting):
            return row
        with stop_on_interrupt():
            _print_reply(chat, row, screen)


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
        with answer_on_quit():
            yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _print_parts(chat: ChatState, row: Message, reply: Reply | None, screen: Screen) -> None:
    """Print what comes, and the end of its last line."""
    parts = _visible_parts(chat, row, reply)
    with screen.waiting(lambda: chat.target.reword(describe_wait(reply)) + wait_hint(reply)):
        part = await anext(parts, "")
    last = ""
    while part:
        if isinstance(part, ThinkingPart):
            screen.print_aside(part.text)
        else:
            screen.print_part(last := part)
        part = await anext(parts, "")
    if last and not last.endswith("\n"):
        screen.print_part("\n")


async def _visible_parts(chat: ChatState, row: Message, reply: Reply | None) -> AsyncIterator[str | ThinkingPart]:
    """What is printed of a reply: its text, before each piece of which a line says how long was thought, or what."""
    if reply is None:  # another process writes it
        async for text in watch.follow(chat.store, row.id, len(row.text)):
            yield text
        return
    known = len(row.thinking or "")
    is_told = True
    async for part in reply.follow_parts(len(row.text), known):
        if isinstance(part, ThinkingPart):
            is_told = False
            if chat.shows_thoughts:
                yield part
        elif isinstance(part, str):
            if not is_told:
                yield _thought_note(chat, reply)
            is_told = True
            yield part
    if not is_told:
        yield _thought_note(chat, reply)


def _thought_note(chat: ChatState, reply: Reply) -> ThinkingPart:
    """The line behind what was thought."""
    seconds = (reply.report.thinking_ms or 0) / 1000
    return ThinkingPart("\n\n" if chat.shows_thoughts else f"Thought for {seconds:.0f} s. /thoughts shows it.\n")


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
        if row.only_thought and target.url is None:
            screen.print_note("It ended inside its thinking: /continue goes on there.")
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
        parts.append(f"{row.state} while it was thinking: /continue goes on there" if row.only_thought else row.state)
    return " · ".join(parts)
