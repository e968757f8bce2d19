"""Files that are being read in the background, and how far each is. Knows jobs of this process.

Nothing of a file is kept before all of it is: a process that ends in the middle leaves nothing behind, but the pages
that it read from pictures, with which the next start goes on.
"""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from conversations.library import files, scans
from conversations.store.database import Database, DatabaseError
from conversations.store.schema import Document
from conversations.store.store import NotFoundError, Store
from documents.errors import DocumentError
from documents.kind import counted_units, display_name
from documents.progress import Progress
from settings import SettingsError

log = logging.getLogger(__name__)
POLL_INTERVAL = 0.2  # seconds between two looks of a reply that waits for a file
READERS = 2  # at a time: one that takes long does not hold up all others
_threads = ThreadPoolExecutor(READERS, "documents")
_lock = threading.Lock()
_readings: dict[tuple[Database, str | None], list["Reading"]] = {}


@dataclass(eq=False)
class Reading(Progress):
    """One file; at its end `document`, or `error` in words for people."""

    document: Document | None = None
    error: str | None = None
    finished: threading.Event = field(default_factory=threading.Event)


def start(store: Store, conversation_id: str | None, name: str, data: bytes, project_id: str | None = None) -> Reading:
    """Start to read a file of a conversation, or of a project."""
    reading = _announce(store.database, conversation_id or project_id, name)
    _threads.submit(_read, reading, scans.Scanning(store, reading.name, data, conversation_id, project_id=project_id))
    return reading


def resume(database: Database) -> None:
    """Go on with every file whose pages a process was reading when it ended."""
    scans.watch(database, lambda scan_id: _threads.submit(_resume, database, scan_id))


def _announce(database: Database, holder: str | None, name: str) -> Reading:
    reading = Reading(display_name(name), unit=counted_units(name))
    with _lock:
        _readings.setdefault((database, holder), []).append(reading)
    return reading


def _resume(database: Database, scan_id: str) -> None:
    scanning = scans.take_over(database, scan_id)
    if scanning is not None:
        holder = scanning.conversation_id or scanning.project_id
        _read(_announce(database, holder, scanning.name), scanning, is_begun=True)


def _read(reading: Reading, wanted: scans.Scanning, is_begun: bool = False) -> None:
    """Read what is wanted; `is_begun`: it is known already what of it was read before."""
    store, conversation_id, project_id = wanted.store, wanted.conversation_id, wanted.project_id
    holder, begun = conversation_id or project_id, wanted if is_begun else None
    try:
        told = (reading.set_pages, reading.set_notice)
        reading.document = files.add(
            store, reading.name, wanted.data, conversation_id, *told, scanning=begun, project_id=project_id
        )
        if conversation_id is not None:
            files.conversation_retriever(store.database, conversation_id)  # the first question finds the index built
    except (DocumentError, NotFoundError, DatabaseError, SettingsError) as error:
        reading.error = str(error)
    except Exception as error:
        reading.error = f"{reading.name} could not be read ({type(error).__name__}); nothing of it was kept."
        log.exception("a document could not be read")
    finally:
        reading.finished.set()
        if holder is None or (reading.error is None and reading.notice is None):
            dismiss(store.database, holder, reading)


def running(database: Database, holder: str) -> list[Reading]:
    """What this process reads for a conversation or a project, by its id, and what failed or is not whole until
    somebody has dismissed it.
    """
    with _lock:
        return list(_readings.get((database, holder), ()))


def dismiss(database: Database, holder: str | None, reading: Reading) -> None:
    """It is over, and known to be."""
    with _lock:
        left = [each for each in _readings.pop((database, holder), []) if each is not reading]
        if left:
            _readings[database, holder] = left


def busy(database: Database) -> frozenset[str | None]:
    """The conversations and projects for which this process reads a file at the moment, by their ids."""
    with _lock:
        waiting = [(key, each) for key, readings in _readings.items() for each in readings]
    return frozenset(holder for (of, holder), each in waiting if of is database and not each.finished.is_set())


class Waiter(Protocol):
    """Whoever waits for a file: a reply, which shows `activity` meanwhile."""

    activity: str | None


async def wait(database: Database, holder: str, reply: Waiter) -> None:
    """Until nothing of a conversation or project is being read any more; the reply says what it waits for."""
    while waiting := [each for each in running(database, holder) if not each.finished.is_set()]:
        reply.activity = waiting[0].label
        await asyncio.sleep(POLL_INTERVAL)
    reply.activity = None
