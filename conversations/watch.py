"""Watching a reply and stopping it, whichever process writes it. Knows jobs here and rows elsewhere; no page.

What another process writes is read from the table, where its journal puts it about twice a second, and it is stopped by
a mark that the same journal reads.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from sqlalchemy import select, update

from conversations.database import Database
from conversations.journal import journal
from conversations.schema import LIVE, Message, State
from conversations.store import NotFoundError, Store, live, sweep

FAR = 0.25  # seconds between two looks at a reply of another process


def look(database: Database, number: int) -> Message | None:
    """A message as it is now; None where it was deleted. The caller has asked a Store whose it is."""
    reply = journal(database).replies.get(number)
    if reply is None:
        sweep(database)
    with database.reading() as session:
        message = session.scalar(select(Message).where(Message.id == number))
    if message is not None and reply is not None:
        message.state = reply.state if reply.state in LIVE else State.RUNNING  # it is over when it is saved
        message.text = reply.text
    return message


async def follow(store: Store, number: int, after: int = 0) -> AsyncIterator[str]:
    """What is added to the text beyond `after` characters, in order, until the end. Raises NotFoundError."""
    message: Message | None = await asyncio.to_thread(store.message, number)
    while message is not None:
        reply = journal(store.database).replies.get(number)
        if reply is not None:
            async for part in reply.follow(after):
                yield part
                after += len(part)
        elif len(message.text) > after:
            yield message.text[after:]
            after = len(message.text)
        if reply is None:
            if not message.live:
                return
            await asyncio.sleep(FAR)
        message = await asyncio.to_thread(look, store.database, number)


def stop(store: Store, number: int) -> None:
    """End a reply; its text stays. Raises NotFoundError."""
    store.message(number)
    reply = journal(store.database).replies.get(number)
    if reply is not None:
        reply.stop()
        return
    with store.database.writing() as session:
        session.execute(update(Message).where(Message.id == number, live()).values(stopping=True))


def hush(store: Store, identity: str) -> None:
    """End all replies of a conversation. Raises NotFoundError."""
    with store.database.reading() as session:
        store.found(session, identity)
        query = select(Message.id).where(Message.conversation_id == identity, live())
        numbers = list(session.scalars(query))
    for number in numbers:
        with suppress(NotFoundError):  # deleted meanwhile
            stop(store, number)


async def ended(database: Database, number: int) -> None:
    """Wait until a message is not live any more; for tasks of the background loop."""
    while True:
        reply = journal(database).replies.get(number)
        if reply is not None:
            await reply.end()
        message = await asyncio.to_thread(look, database, number)
        if message is None or not message.live:
            return
        await asyncio.sleep(FAR)
