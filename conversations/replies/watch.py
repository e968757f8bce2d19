"""Watching a reply and stopping it, whichever process writes it. Knows jobs here and rows elsewhere; no page.

What another process writes is read from the table, where its journal puts it about twice a second, and it is stopped by
a mark that the same journal reads. On PostgreSQL that process also tells its words as they come, and hears of the stop
at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from sqlalchemy import select, update

from conversations.replies.relay.remote_reply import POLL
from conversations.replies.writer import reply_writer
from conversations.store.database import Database
from conversations.store.schema import LIVE, Message, State
from conversations.store.store import NotFoundError, Store, is_live, sweep


def snapshot(database: Database, number: int) -> Message | None:
    """A message as it is now; None where it was deleted. The caller has asked a Store whose it is."""
    reply = reply_writer(database).replies.get(number)
    if reply is None:
        return _remote_snapshot(database, number)
    message = _row(database, number)
    if message is not None:
        message.state = reply.state if reply.state in LIVE else State.RUNNING  # it is over when it is saved
        message.text = reply.text
    return message


def _remote_snapshot(database: Database, number: int) -> Message | None:
    """The same for what this process does not write."""
    broadcast = reply_writer(database).relay
    known = broadcast.cached(number)
    if known is not None:
        return known
    sweep(database)
    message = _row(database, number)
    return None if message is None else broadcast.subscribe(message)


def _row(database: Database, number: int) -> Message | None:
    with database.reading() as session:
        return session.scalar(select(Message).where(Message.id == number))


def has_push(database: Database) -> bool:
    """Whether replies of other processes can be heard as they come, so that looking more often is worth it."""
    return reply_writer(database).relay.notifier is not None


async def follow(store: Store, number: int, after: int = 0) -> AsyncIterator[str]:
    """What is added to the text beyond `after` characters, in order, until the end. Raises NotFoundError."""
    await asyncio.to_thread(store.message, number)
    book = reply_writer(store.database)
    while (message := await asyncio.to_thread(snapshot, store.database, number)) is not None:
        reply = book.replies.get(number)
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
        await book.relay.wait_for_more(number, after, POLL)


def stop(store: Store, number: int) -> None:
    """End a reply; its text stays. Raises NotFoundError."""
    row = store.message(number)
    reply = reply_writer(store.database).replies.get(number)
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
        reply = reply_writer(database).replies.get(number)
        if reply is not None:
            await reply.end()
        await asyncio.to_thread(sweep, database)
        message = await asyncio.to_thread(_row, database, number)  # its words are of no interest here
        if message is None or not message.live:
            return
        await asyncio.sleep(POLL)
