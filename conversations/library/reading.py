"""Files that are being read in the background, and how far each is. Knows jobs of this process.

Nothing of a file is kept before all of it is: a process that ends in the middle leaves nothing behind.
"""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from conversations.library import files
from conversations.store.database import Database, DatabaseError
from conversations.store.schema import Document
from conversations.store.store import NotFoundError, Store
from documents.kind import DocumentError, named
from documents.progress import Progress
from settings import SettingsError

log = logging.getLogger(__name__)
LOOK = 0.2  # seconds between two looks of a reply that waits for a file
READERS = 2  # at a time: one that takes long does not hold up all others
_threads = ThreadPoolExecutor(READERS, "documents")
_lock = threading.Lock()
_readings: dict[tuple[Database, str], list["Reading"]] = {}


@dataclass(eq=False)
class Reading(Progress):
    """One file; at its end `document`, or `error` in words for people."""

    document: Document | None = None
    error: str | None = None
    over: threading.Event = field(default_factory=threading.Event)


def begin(store: Store, identity: str, name: str, data: bytes) -> Reading:
    """Start to read a file of a conversation."""
    made = Reading(named(name))
    with _lock:
        _readings.setdefault((store.database, identity), []).append(made)
    _threads.submit(_read, made, store, identity, data)
    return made


def _read(made: Reading, store: Store, identity: str, data: bytes) -> None:
    try:
        made.document = files.add(store, made.name, data, identity, made.told, made.compared)
        files.retriever(store.database, identity)  # the first question finds the index built
    except (DocumentError, NotFoundError, DatabaseError, SettingsError) as error:
        made.error = str(error)
    except Exception as error:
        made.error = f"{made.name} could not be read ({type(error).__name__}); nothing of it was kept."
        log.exception("a document could not be read")
    finally:
        made.over.set()
        if made.error is None:
            dismiss(store.database, identity, made)


def under_way(database: Database, identity: str) -> list[Reading]:
    """What this process reads for a conversation, and what failed until somebody has dismissed it."""
    with _lock:
        return list(_readings.get((database, identity), ()))


def dismiss(database: Database, identity: str, reading: Reading) -> None:
    """It is over, and known to be."""
    with _lock:
        left = [each for each in _readings.pop((database, identity), []) if each is not reading]
        if left:
            _readings[database, identity] = left


class Waiting(Protocol):
    """Whoever waits for a file: a reply, which shows `activity` meanwhile."""

    activity: str | None


async def ended(database: Database, identity: str, reply: Waiting) -> None:
    """Until nothing of a conversation is being read any more; the reply says what it waits for."""
    while waiting := [each for each in under_way(database, identity) if not each.over.is_set()]:
        reply.activity = waiting[0].note
        await asyncio.sleep(LOOK)
    reply.activity = None
