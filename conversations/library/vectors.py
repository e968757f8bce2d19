"""Vectors of documents, made in the background: some passages of each document in turn. Knows tables and jobs.

What was made is kept with every batch: a process that is killed loses one, and the next start goes on. Words find
everything meanwhile. Processes that share a PostgreSQL each take other documents; two that share a file of SQLite
might make a batch twice, and keep it once.
"""

import logging
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.exc import DBAPIError

from conversations.store.database import Database, DatabaseError
from conversations.store.schema import Document, Passage
from documents.embedding import current_embedder
from documents.errors import EmbeddingError
from documents.search import Vectors
from settings import SettingsError

log = logging.getLogger(__name__)
PAUSE = 3.0  # seconds until a document is looked at again that another process works on, or whose database is away
_lock = threading.Lock()
_jobs: dict[tuple[Database, str], "Job"] = {}
_turns: "queue.Queue[Job]" = queue.Queue()
_claims: dict[Database, Connection] = {}  # one for each PostgreSQL: its locks end with it
_worker: threading.Thread | None = None


@dataclass(eq=False)
class Job:
    """One document: `done` of `total` passages have a vector; at its end `finished`, with `error` for people."""

    database: Database
    document_id: str
    embedder: str
    name: str  # of the file
    done: int
    total: int
    error: str | None = None
    last: int = 0  # the passage that was looked at last
    not_before: float = 0.0  # by the monotonic clock
    is_claimed: bool = False  # on PostgreSQL, by this process
    finished: threading.Event = field(default_factory=threading.Event)


def start(database: Database, rows: Sequence[Document]) -> list[Job]:
    """Begin, or go on, with what these documents lack of the vectors that their `embedding` names."""
    global _worker
    with _lock:
        jobs = [_ensure_job(database, row) for row in rows if row.embedding and row.vectors < row.passages]
        if jobs and (_worker is None or not _worker.is_alive()):
            _worker = threading.Thread(target=_work, name="vectors", daemon=True)
            _worker.start()
    return jobs


def _ensure_job(database: Database, row: Document) -> Job:
    """The job of a document: the one that runs, or a new one."""
    job = _jobs.get((database, row.id))
    if job is None or job.finished.is_set() or job.embedder != row.embedding:
        assert row.embedding is not None
        job = Job(database, row.id, row.embedding, row.name, row.vectors, row.passages)
        _jobs[database, row.id] = job
        _turns.put(job)
    return job


def resume(database: Database) -> list[Job]:
    """Go on with every document that a process left unfinished and whose embedder is still the same."""
    embedder = current_embedder()
    if embedder is None:
        return []
    query = select(Document).where(Document.embedding == embedder.name, Document.vectors < Document.passages)
    with database.reading() as session:
        return start(database, list(session.scalars(query.order_by(Document.created))))


def job_of(database: Database, document_id: str) -> Job | None:
    """What this process does, or failed to do, for a document."""
    return _jobs.get((database, document_id))


def stop(database: Database, timeout: float | None = None) -> None:
    """Make nothing more for a database, and wait, or for `timeout` seconds, until the batch under way has ended."""
    with _lock:
        for key in [key for key in _jobs if key[0] is database]:
            _jobs.pop(key).finished.set()
    barrier = Job(database, "", "", "", 0, 0)
    if _worker is not None and _worker.is_alive():
        _turns.put(barrier)
        barrier.finished.wait(timeout)
    if (claims := _claims.pop(database, None)) is not None:
        claims.close()


def _work() -> None:
    """The thread's life: a batch for each job in turn."""
    while True:
        job = _turns.get()
        if not job.document_id:  # who waits for what came before
            job.finished.set()
            continue
        if job.finished.is_set():
            continue
        if job.not_before > time.monotonic():
            time.sleep(0.05)
            _turns.put(job)
            continue
        _advance(job)
        if job.finished.is_set():
            _release(job)
        else:
            _turns.put(job)


def _advance(job: Job) -> None:
    """One batch; a failure ends the job with a line, and a database that is away is asked again."""
    try:
        if not _claim(job) or not _make_batch(job):
            return
    except (DatabaseError, DBAPIError):
        job.not_before, job.is_claimed = time.monotonic() + PAUSE, False
        if not job.database.closed:
            return
    except (EmbeddingError, SettingsError) as error:
        job.error = str(error)
    except Exception as error:
        if not job.database.closed:
            job.error = (
                f"{job.name} is searched by words alone: its vectors could not be made ({type(error).__name__})."
            )
            log.exception("vectors could not be made")
    job.finished.set()


def _make_batch(job: Job) -> bool:
    """Make and keep the next vectors; whether nothing is left to do."""
    embedder = current_embedder()
    if embedder is None or embedder.name != job.embedder:
        return True
    query = select(Passage.id, Passage.text).join(Document).where(Document.id == job.document_id)
    query = query.where(Document.embedding == job.embedder, Passage.vector.is_(None), Passage.id > job.last)
    with job.database.reading() as session:
        rows = session.execute(query.order_by(Passage.id).limit(embedder.batch)).all()
    if not rows:
        job.done = job.total  # what another process made among them
        return True
    vectors = embedder.embed_texts([row.text for row in rows])
    return job.finished.is_set() or not _keep(job, [row.id for row in rows], vectors)


def _keep(job: Job, ids: Sequence[int], vectors: Vectors) -> bool:
    """Write vectors where none were written meanwhile; False where the document is gone, or for another embedder."""
    owned = select(Document).where(Document.id == job.document_id, Document.embedding == job.embedder)
    with job.database.writing() as session:
        row = session.scalar(owned.with_for_update())
        if row is None:
            return False
        empty = set(session.scalars(select(Passage.id).where(Passage.id.in_(ids), Passage.vector.is_(None))))
        new = [{"at": at, "made": made.tobytes()} for at, made in zip(ids, vectors, strict=True) if at in empty]
        if new:
            change = update(Passage.__table__).where(Passage.__table__.c.id == bindparam("at"))  # type: ignore[arg-type]
            session.connection().execute(change.values(vector=bindparam("made")), new)
        row.vectors += len(new)
        job.done, job.last = row.vectors, ids[-1]
    return True


def _claim(job: Job) -> bool:
    """Whether this process may work on a document: on PostgreSQL one does at a time. It ends where another is done."""
    if job.is_claimed or job.database.sqlite:
        return True
    lock = text("SELECT pg_try_advisory_lock(hashtextextended(:id, 0))")
    job.is_claimed = bool(_claims_of(job.database).scalar(lock, {"id": job.document_id}))
    if not job.is_claimed:
        job.not_before = time.monotonic() + PAUSE
        with job.database.reading() as session:
            row = session.get(Document, job.document_id)
        job.done = row.vectors if row is not None else job.done
        if row is None or row.vectors >= row.passages:
            job.finished.set()
    return job.is_claimed


def _claims_of(database: Database) -> Connection:
    """The connection whose locks say what this process works on. Raises DatabaseError where the database is away."""
    connection = _claims.get(database)
    if connection is None or connection.closed or connection.invalidated:
        with database.reading() as session:
            session.execute(select(1))
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        _claims[database] = connection
    return connection


def _release(job: Job) -> None:
    """Let others work on the document, and forget the job, but not why it failed."""
    with _lock:
        if job.error is None and _jobs.get((job.database, job.document_id)) is job:
            del _jobs[job.database, job.document_id]
    if job.is_claimed and not job.database.closed:
        unlock = text("SELECT pg_advisory_unlock(hashtextextended(:id, 0))")
        with suppress(DBAPIError, DatabaseError):
            _claims_of(job.database).scalar(unlock, {"id": job.document_id})
