"""Files whose pages are read from pictures: each page is kept as it is done. Knows tables and clocks; reads nothing.

What was begun is found again by owner, conversation and bytes once its process no longer says that it lives: after a
crash the next start goes on with the page after the last.
"""

import hashlib
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from conversations.store.database import Database, DatabaseError
from conversations.store.scan_tables import PagePicture, Scan, ScanPage
from conversations.store.store import NotFoundError, Store
from documents.part import Part, part_from_json, part_to_json

log = logging.getLogger(__name__)
PROCESS = secrets.token_hex(8)
BEAT = 3.0  # seconds between two signs of life
DEAD = 15.0  # seconds without one after which a process is taken for dead


@dataclass
class Scanning:
    """The pages of one file that are done, in the table and out of it."""

    store: Store
    name: str
    data: bytes
    conversation_id: str | None
    id: str | None = None  # of the row, once there is one
    done: dict[int, Part] = field(default_factory=dict)
    project_id: str | None = None

    def keep(self, part: Part) -> None:
        """Keep a page that was read from a picture. Raises NotFoundError where the conversation is gone meanwhile."""
        if part.picture is None or part.page is None:
            return
        with self.store.database.writing() as session:
            row = session.get(Scan, self.id) if self.id is not None else self._begin(session)
            if row is None or row.process != PROCESS:
                raise NotFoundError(f"{self.name} is no longer wanted: what it belongs to was deleted.")
            row.heartbeat = _now(self.store.database, session)
            session.add(ScanPage(scan_id=row.id, page=part.page, part=part_to_json(part)))

    def finish(self, session: Session, document_id: str, parts: Sequence[Part]) -> None:
        """In the transaction that keeps the document: keep the pictures of its pages, and nothing else."""
        pictures = [(part.page, part.picture) for part in parts if part.picture is not None and part.page is not None]
        rows = [{"document_id": document_id, "page": page, "data": data} for page, data in pictures]
        if rows:
            session.execute(insert(PagePicture), rows)
        if self.id is not None:
            session.execute(delete(Scan).where(Scan.id == self.id))

    def forget(self) -> None:
        """Drop what was kept: the file cannot be read to its end."""
        if self.id is not None:
            with self.store.database.writing() as session:
                session.execute(delete(Scan).where(Scan.id == self.id))

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Say every few seconds that this process is at work."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(ended,), name="scan", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT):
            if self.id is None:
                continue
            try:
                with self.store.database.writing() as session:
                    own = update(Scan).where(Scan.id == self.id, Scan.process == PROCESS)
                    session.execute(own.values(heartbeat=self.store.database.now()))
            except (DatabaseError, DBAPIError):
                log.warning("a file that is being read could not be kept alive")

    def _begin(self, session: Session) -> Scan:
        """The row, with the file in it."""
        row = Scan(
            id=secrets.token_urlsafe(16),
            owner=self.store.owner,
            conversation_id=self.conversation_id,
            project_id=self.project_id,
            name=self.name,
            digest=hashlib.sha256(self.data).hexdigest(),
            data=self.data,
            created=time.time(),
            process=PROCESS,
            heartbeat=_now(self.store.database, session),
        )
        if self.conversation_id is not None:
            self.store.conversation_row(session, self.conversation_id)
        if self.project_id is not None:
            self.store.project_row(session, self.project_id, kept=True)
        session.add(row)
        session.flush()
        self.id = row.id
        return row


def begin(store: Store, name: str, data: bytes, conversation_id: str | None, project_id: str | None = None) -> Scanning:
    """What is known of a file: the pages that a process which is dead has left, if there are some."""
    wanted = Scanning(store, name, data, conversation_id, project_id=project_id)
    query = select(Scan).where(
        Scan.owner == store.owner,
        Scan.conversation_id.is_not_distinct_from(wanted.conversation_id),
        Scan.project_id.is_not_distinct_from(wanted.project_id),
        Scan.digest == hashlib.sha256(wanted.data).hexdigest(),
        Scan.name == wanted.name,
    )
    with store.database.reading() as session:
        left = list(session.scalars(query))
    for row in left:
        if (pages := _take_over(store.database, row)) is not None:
            return replace(wanted, id=row.id, done=pages)
    return wanted


def take_over(database: Database, scan_id: str) -> Scanning | None:
    """A file that a process which is dead has left; None where it is done, or somebody reads it."""
    with database.reading() as session:
        row = session.get(Scan, scan_id)
        data = session.scalar(select(Scan.data).where(Scan.id == scan_id))
    if row is None or data is None or (pages := _take_over(database, row)) is None:
        return None
    return Scanning(Store(database, row.owner), row.name, data, row.conversation_id, row.id, pages, row.project_id)


def watch(database: Database, resume: Callable[[str], object], interval: float = BEAT) -> threading.Thread | None:
    """Have every file resumed by its id that a process has left, also those whose process may yet turn out to be dead.

    None where there is none: nobody waits for more than was begun before.
    """
    with database.reading() as session:
        if session.scalar(select(Scan.id).limit(1)) is None:
            return None
    thread = threading.Thread(target=_watch, args=(database, resume, interval), name="scans", daemon=True)
    thread.start()
    return thread


def _watch(database: Database, resume: Callable[[str], object], interval: float) -> None:
    """The thread's life: as long as it takes to tell who is dead."""
    resumed, end = set[str](), time.monotonic() + 2 * DEAD
    while not database.closed:
        is_last = time.monotonic() > end
        for scan_id in set(_dead(database)) - resumed:
            resumed.add(scan_id)
            resume(scan_id)
        if is_last:
            return
        time.sleep(interval)


def _dead(database: Database) -> list[str]:
    """The files that nobody reads any more, the first first."""
    try:
        with database.reading() as session:
            now = _now(database, session)
            return [row.id for row in session.scalars(select(Scan).order_by(Scan.created)) if _is_dead(row, now)]
    except (DatabaseError, DBAPIError):
        return []


def _take_over(database: Database, row: Scan) -> dict[int, Part] | None:
    """The pages of a file whose process is dead; None where it lives, or another was faster."""
    with database.writing() as session:
        now = _now(database, session)
        if not _is_dead(row, now):
            return None
        same = (Scan.id == row.id, Scan.process == row.process, Scan.heartbeat == row.heartbeat)
        taken = update(Scan).where(*same).values(process=PROCESS, heartbeat=now).returning(Scan.id)
        if session.scalar(taken) is None:
            return None
        pages = session.execute(select(ScanPage.page, ScanPage.part).where(ScanPage.scan_id == row.id))
        return {page: part_from_json(json.loads(part)) for page, part in pages}


def _now(database: Database, session: Session) -> float:
    return float(session.scalar(select(database.now())) or 0.0)


def _is_dead(row: Scan, now: float) -> bool:
    return abs(now - row.heartbeat) > DEAD  # a clock may be set back
