"""The store of a temporary chat: in the memory of this process alone, and gone with the chat or with the process.

It is a store like any other, so that branches, documents and tools are what they are elsewhere; every chat is an owner
of its own, whom nobody can find. Knows nothing of pages.
"""

import logging
import secrets
import threading
import weakref
from functools import cache
from queue import SimpleQueue

from conversations.store.database import IN_MEMORY, Database, DatabaseError, connect
from conversations.store.store import Store

log = logging.getLogger(__name__)
_gone: SimpleQueue[tuple[Database, str]] = SimpleQueue()  # the only thing that a finalizer may touch: it waits for none


def open_temporary() -> Store:
    """The store of a new temporary chat. Raises DatabaseError where SQLite is older than 3.36."""
    return Store(connect(IN_MEMORY), f"temporary:{secrets.token_urlsafe(16)}")


def forget_with(chat: object, store: Store) -> None:
    """Have all of the store's conversations deleted once nobody holds the object any more; replies in them end."""
    _start()
    weakref.finalize(chat, _gone.put, (store.database, store.owner)).atexit = False


@cache
def _start() -> None:
    threading.Thread(target=_forget_all, name="temporary", daemon=True).start()


def _forget_all() -> None:
    while True:
        database, owner = _gone.get()
        store = Store(database, owner)
        try:
            for conversation in [] if database.closed else store.listing():
                store.delete(conversation.id)
        except DatabaseError as error:
            log.warning("a temporary chat is still in memory: %s", error)
