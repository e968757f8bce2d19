"""The one door to running replies: watching one and stopping it, whichever process writes it. Knows no page.

What another process writes is read from the table, where its writer puts it about twice a second, and it is stopped by
a mark that the same writer reads. On PostgreSQL that process also sends its text as it comes, and is notified of the
stop at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from sqlalchemy import select, update

from conversations.replies.relay.remote_reply import POLL
from conversations.replies.reply import Reply
from conversations.replies.writer import reply_writer
from conversations.store.database import Database
from conversations.store.schema import LIVE, Message, State
from conversations.store.store import NotFoundError, Store, is_live, sweep


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
        message.text = reply.text
    return message


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


def has_push(database: Database) -> bool:
    """Whether other processes send the text of their replies as it comes, so that looking often is worth it."""
    return reply_writer(database).relay.notifier is not None


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


def stop_all(store: Store, identity: str) -> None:
    """End all replies of a conversation. Raises NotFoundError."""
    with store.database.reading() as session:
        store.conversation_row(session, identity)
        query = select(Message.id).where(Message.conversation_id == identity, is_live())
        numbers = list(session.scalars(query))
    for number in numbers:
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
