"""The one door to running replies: watching one, stopping it, having it answer now, whichever process writes it.

What another process writes is read from the table, where its writer puts it about twice a second, and it is stopped by
a mark that the same writer reads. On PostgreSQL that process also sends its text as it comes, and is notified of the
stop at once; to answer now is asked for alike. Knows no page.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from sqlalchemy import select, update

import backends
from conversations.replies.relay.remote_reply import POLL
from conversations.replies.reply import Reply
from conversations.replies.writer import reply_writer
from conversations.store.database import Database
from conversations.store.schema import LIVE, Message, State
from conversations.store.store import NotFoundError, Store, is_live, sweep
from conversations.store.text import MessageError


def local_reply(database: Database, number: int) -> Reply | None:
    """The reply itself, as long as this process writes it. The caller has asked a Store whose it is."""
    return reply_writer(database).replies.get(number)


def snapshot(database: Database, number: int) -> Message | None:
    """A message as it is now; None where it was deleted. The caller has asked a Store whose it is."""
    reply = local_reply(database, number)
    if reply is None:
        return _remote_snapshot(database, number)
    message = _row(database, number)
    if message is not None:
        message.state = reply.state if reply.state in LIVE else State.RUNNING  # it has ended when it is saved
        take_growth(message, reply)
    return message


def take_growth(message: Message, reply: Reply) -> None:
    """Give a message what its reply has thought and said so far."""
    message.text = reply.text
    if reply.report.thinking_ms is not None:
        message.thinking, message.thinking_ms = reply.report.thinking.text, reply.report.thinking_ms
    message.backend = reply.report.backend or message.backend


def _remote_snapshot(database: Database, number: int) -> Message | None:
    """A message that this process does not write, from the relay where it is fresh, else from the table."""
    relay = reply_writer(database).relay
    cached = relay.cached(number)
    if cached is not None:
        return cached
    sweep(database)
    message = _row(database, number)
    return None if message is None else relay.subscribe(message)


def _row(database: Database, number: int) -> Message | None:
    with database.reading() as session:
        return session.scalar(select(Message).where(Message.id == number))


async def follow(store: Store, number: int, after: int = 0) -> AsyncIterator[str]:
    """Yield what is added to the text beyond `after` characters, in order, until the end. Raises NotFoundError."""
    await asyncio.to_thread(store.message, number)
    relay = reply_writer(store.database).relay
    while (message := await asyncio.to_thread(snapshot, store.database, number)) is not None:
        reply = local_reply(store.database, number)
        if reply is not None:
            async for part in reply.follow(after):
                yield part
                after += len(part)
            continue
        if len(message.text) > after:
            yield message.text[after:]
            after = len(message.text)
        if not message.live:
            return
        await relay.wait_for_more(number, after, POLL)


def stop(store: Store, number: int) -> None:
    """End a reply; its text stays. Raises NotFoundError."""
    row = store.message(number)
    reply = local_reply(store.database, number)
    if reply is not None:
        reply.stop()
        return
    with store.database.writing() as session:
        session.execute(update(Message).where(Message.id == number, is_live()).values(stopping=True))
    if row.live:
        reply_writer(store.database).relay.stop(row)


def answer_now(store: Store, number: int) -> None:
    """Have a running reply end its thinking within one token, by the model's own mark, and answer.

    Raises NotFoundError, and MessageError where there is no thinking that could be ended.
    """
    row, reply = store.message(number), local_reply(store.database, number)
    if reply is not None:
        end_thinking(reply)
        return
    if refusal := _refusal(row.live, bool(row.text), row.backend):
        raise MessageError(refusal)
    with store.database.writing() as session:
        session.execute(update(Message).where(Message.id == number, is_live()).values(answering=True))
    reply_writer(store.database).relay.answer_now(row)


def end_thinking(reply: Reply) -> None:
    """Do so with a reply of this process. Raises MessageError."""
    if refusal := _refusal_of(reply):
        raise MessageError(refusal)
    reply.answer_now()


def can_answer_now(row: Message | None, reply: Reply | None) -> bool:
    """Whether a reply thinks at the moment, and can be had end that; None stands for one of another process."""
    if reply is not None:
        thinking, backend, refusal = reply.report.thinking, reply.report.backend, _refusal_of(reply)
        goes_on = bool(thinking.text) and thinking.ended is None  # with what it thought before it was cut
        thinks = (thinking.is_open or goes_on) and not reply.control.is_over
    elif row is not None:
        thinks, backend = row.only_thought and not row.answering, row.backend
        refusal = _refusal(row.live, bool(row.text), backend)
    else:
        return False
    return thinks and backend is not None and refusal is None


def _refusal_of(reply: Reply) -> str | None:
    has_answer = bool(reply.text) and not reply.report.thinking.is_open
    return _refusal(reply.running, has_answer, reply.report.backend)


def _refusal(is_running: bool, has_answer: bool, backend: str | None) -> str | None:
    """Why there is no thinking that could be ended; None where there may be some."""
    if not is_running:
        return "This reply has ended: there is no thinking to end."
    if has_answer:
        return "This reply answers already."
    if backend is not None and not backends.computes_here(backend):
        return f"The thinking of {backend} cannot be ended: it is a server's. Stop the reply instead."
    return None


def running_in(store: Store, identity: str) -> list[int]:
    """The running replies of a conversation, oldest first. Raises NotFoundError."""
    with store.database.reading() as session:
        store.conversation_row(session, identity)
        query = select(Message.id).where(Message.conversation_id == identity, is_live()).order_by(Message.id)
        return list(session.scalars(query))


def stop_all(store: Store, identity: str) -> None:
    """End all replies of a conversation. Raises NotFoundError."""
    for number in running_in(store, identity):
        with suppress(NotFoundError):  # deleted meanwhile
            stop(store, number)


async def join(database: Database, number: int) -> None:
    """Wait until a message is not live any more; for tasks of the background loop."""
    while True:
        reply = local_reply(database, number)
        if reply is not None:
            await reply.join()
        await asyncio.to_thread(sweep, database)
        message = await asyncio.to_thread(_row, database, number)
        if message is None or not message.live:
            return
        await asyncio.sleep(POLL)
