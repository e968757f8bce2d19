"""The documents of an owner: added whole or not at all, listed, searched, deleted. Knows tables; no page and no model.

What does not belong to the owner is not found, whatever is asked about it.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from langchain_core.documents import Document as Found
from sqlalchemy import Select, func, insert, or_, select, update
from sqlalchemy.orm import Session

from conversations.library import index as indexes
from conversations.library import scans, vectors
from conversations.store.database import Database, DatabaseError
from conversations.store.scan_tables import PagePicture
from conversations.store.schema import Conversation, Document, Passage
from conversations.store.store import NotFoundError, Store, announce_deletion
from conversations.store.text import clean, format_count
from documents.embedding import current_embedder, words_alone_reason
from documents.errors import DocumentError
from documents.kind import UNITS, display_name
from documents.load import Loaded, ProgressCallback, load
from documents.search import TOP_K, PassageRetriever
from documents.settings import DocumentSettings, EmbeddingSettings
from documents.split import join_parts, split_parts
from settings import SettingsError


def add(
    store: Store,
    name: str,
    data: bytes,
    conversation_id: str | None = None,
    on_page: ProgressCallback = lambda done, of: None,
    on_notice: Callable[[str], None] = lambda notice: None,
    charset: str | None = None,
    scanning: scans.Scanning | None = None,
    project_id: str | None = None,
) -> Document:
    """Read a file and keep it, with a conversation, a project, or neither; its vectors follow in the background.

    `on_page` is called with pages read and their number; `on_notice` with what of the file is missing. `charset`: a
    text's encoding as whoever sent it names it. `scanning`: the pages of it that were read before. Raises
    DocumentError, NotFoundError, SettingsError.
    """
    current_embedder()  # a wrong variable fails before anything is read
    limits, name = DocumentSettings.read(), display_name(name)
    wanted = scanning or scans.Scanning(store, name, data, conversation_id, project_id=project_id)
    with store.database.reading() as session:
        _check_allowed(session, wanted, limits)
    scanning = scanning or scans.begin(store, name, data, conversation_id, project_id)
    try:
        with scanning.alive():
            loaded = load(name, data, limits, on_page, charset, scanning.done, scanning.keep)
        row = _keep(scanning, loaded, limits)
    except DatabaseError:  # what was read is kept for the next start
        raise
    except BaseException:
        scanning.forget()
        raise
    if loaded.notice is not None:
        on_notice(loaded.notice)
    vectors.start(store.database, [row])
    return row


def _keep(scanning: scans.Scanning, loaded: Loaded, limits: DocumentSettings) -> Document:
    """Keep what was read, all at once."""
    store, embedder = scanning.store, current_embedder()
    parts = [replace(part, text=clean(part.text), place=part.place and clean(part.place)) for part in loaded.parts]
    pieces = list(split_parts(parts))
    row = Document(
        id=f"file-{secrets.token_urlsafe(16)}",
        owner=store.owner,
        conversation_id=scanning.conversation_id,
        project_id=scanning.project_id,
        name=clean(loaded.name),
        kind=loaded.kind.name,
        bytes=len(scanning.data),
        pages=len(parts) if loaded.kind.unit else None,
        passages=len(pieces),
        text=join_parts(parts),
        created=time.time(),
        embedding=embedder and embedder.name,
        vectors=0,
    )
    rows = [{"document_id": row.id, **asdict(piece)} for piece in pieces]
    with store.database.writing() as session:
        _check_allowed(session, scanning, limits)  # it may have been deleted meanwhile
        _touch(session, store, scanning.conversation_id, scanning.project_id)
        session.add(row)
        session.flush()
        session.execute(insert(Passage), rows)
        scanning.finish(session, row.id, parts)
    return row


def _check_allowed(session: Session, scanning: scans.Scanning, limits: DocumentSettings) -> None:
    store = scanning.store
    if scanning.conversation_id is not None:
        store.conversation_row(session, scanning.conversation_id)
    if scanning.project_id is not None:
        store.project_row(session, scanning.project_id)
    count = session.scalar(select(func.count()).select_from(Document).where(Document.owner == store.owner)) or 0
    if count >= limits.max_files:
        raise DocumentError(
            f"{scanning.name}: you keep {count} documents, the most there may be (DOCUMENTS_MAX_FILES). Delete one."
        )


def _touch(session: Session, store: Store, conversation_id: str | None, project_id: str | None) -> None:
    """Other tabs draw a conversation anew when it has changed."""
    if conversation_id is not None:
        store.lock_conversation(session, conversation_id).updated = time.time()
    if project_id is not None:
        store.project_row(session, project_id, locked=True).updated = time.time()


def embed(store: Store, document_id: str) -> None:
    """Have vectors made of a document by what EMBEDDINGS names now; those of another embedder go.

    Raises NotFoundError, SettingsError where documents are searched by words alone.
    """
    get(store, document_id)
    embedder = current_embedder()
    if embedder is None:
        raise SettingsError(f"Documents are searched by words alone: {words_alone_reason(EmbeddingSettings.read())}.")
    with store.database.writing() as session:
        row = _row(session, store, document_id)
        if row.embedding != embedder.name:
            session.execute(update(Passage).where(Passage.document_id == row.id).values(vector=None))
            row.embedding, row.vectors = embedder.name, 0
            _touch(session, store, row.conversation_id, row.project_id)
    vectors.start(store.database, [row])


def lacks_vectors(store: Store, row: Document) -> bool:
    """Whether somebody has to ask for vectors of a document: nobody makes those that could be made."""
    try:
        embedder = current_embedder()
    except SettingsError:
        return False
    job = vectors.job_of(store.database, row.id)
    if embedder is None or (job is not None and not job.finished.is_set()):
        return False
    return row.embedding != embedder.name or (row.vectors < row.passages and job is not None and job.error is not None)


def describe_progress(row: Document) -> str:
    """How far the vectors of a document are, as a line for people."""
    return f"{row.name}: {row.vectors:,} of {row.passages:,} passages can be found by meaning, all by their words"


def describe(row: Document) -> list[str]:
    """How many pages or slides, where a document has some, and passages; of how many there are vectors, but all."""
    pages = [] if row.pages is None else [format_count(row.pages, UNITS.get(row.kind) or "page")]
    part = [f"{row.vectors:,} of them by meaning"] if row.embedding and row.vectors < row.passages else []
    return [*pages, format_count(row.passages, "passage"), *part]


def listing(store: Store, conversation_id: str | None = None) -> list[Document]:
    """The documents of a conversation alone, or those of none and no project, oldest first. Raises NotFoundError."""
    with store.database.reading() as session:
        if conversation_id is not None:
            store.conversation_row(session, conversation_id)
        query = _query(store).where(Document.conversation_id == conversation_id, Document.project_id.is_(None))
        return list(session.scalars(query.order_by(Document.created)))


def project_listing(store: Store, project_id: str) -> list[Document]:
    """The documents of a project, which are searched in each of its conversations, oldest first."""
    with store.database.reading() as session:
        query = _query(store).where(Document.project_id == project_id)
        return list(session.scalars(query.order_by(Document.created)))


def listing_all(store: Store) -> list[Document]:
    """The documents of the owner, of whatever conversation, oldest first."""
    with store.database.reading() as session:
        return list(session.scalars(_query(store).order_by(Document.created)))


def find(store: Store, document_ids: Sequence[str]) -> list[Document]:
    """Those of the owner among these documents, oldest first."""
    query = _query(store).where(Document.id.in_(document_ids)).order_by(Document.created)
    with store.database.reading() as session:
        return list(session.scalars(query))


def get(store: Store, document_id: str) -> Document:
    """A document of the owner, without its text. Raises NotFoundError."""
    with store.database.reading() as session:
        return _row(session, store, document_id)


def content(store: Store, document_id: str) -> str:
    """The whole text of a document. Raises NotFoundError."""
    with store.database.reading() as session:
        _row(session, store, document_id)
        return session.scalars(select(Document.text).where(Document.id == document_id)).one()


def page_picture(store: Store, document_id: str, page: int) -> bytes | None:
    """The small picture of a page that was read from one, as WebP; None where it has none or is not the owner's."""
    query = select(PagePicture.data).join(Document).where(Document.owner == store.owner, Document.id == document_id)
    with store.database.reading() as session:
        return session.scalar(query.where(PagePicture.page == page))


def delete(store: Store, document_id: str) -> None:
    """Delete a document with its passages; replies lose what they quote of it. Raises NotFoundError."""
    with store.database.writing() as session:
        row = _row(session, store, document_id)
        _touch(session, store, row.conversation_id, row.project_id)
        session.delete(row)
        inside = select(Conversation.id).where(Conversation.project_id == row.project_id)
        losing = [row.conversation_id] if row.project_id is None else list(session.scalars(inside))
    indexes.evict(document_id)
    for conversation_id in losing:
        if conversation_id is not None:
            announce_deletion(store.database, conversation_id)


def _query(store: Store) -> Select[Document]:
    return select(Document).where(Document.owner == store.owner)


def _row(session: Session, store: Store, document_id: str) -> Document:
    row = session.scalar(_query(store).where(Document.id == document_id))
    if row is None:
        raise NotFoundError(f"There is no document {document_id!r} of yours.")
    return row


def conversation_retriever(database: Database, conversation_id: str) -> PassageRetriever | None:
    """What finds passages in the documents of a conversation and of its project; None where there are none.

    The caller has asked whose it is.
    """
    with database.reading() as session:
        document_ids = searched_ids(session, session.get_one(Conversation, conversation_id))
    return passage_retriever(database, document_ids) if document_ids else None


def searched_ids(session: Session, conversation: Conversation) -> list[str]:
    """The documents that are searched in a conversation: its own, and those of its project."""
    of = Document.conversation_id == conversation.id
    if conversation.project_id is not None:
        of = or_(of, Document.project_id == conversation.project_id)
    return list(session.scalars(select(Document.id).where(of)))


def passage_retriever(database: Database, document_ids: Sequence[str]) -> PassageRetriever:
    """What finds passages in these documents. The caller has asked whose they are."""
    return PassageRetriever(index=indexes.get_index(database, document_ids))


def vector_counts(database: Database, document_ids: Sequence[str]) -> tuple[int, int]:
    """How many passages of these documents can be found by meaning now, and how many once all vectors are made."""
    return indexes.vector_counts(database, document_ids)


def document_retriever(store: Store, document_ids: Sequence[str]) -> PassageRetriever:
    """What finds passages in these documents of the owner. Raises NotFoundError."""
    with store.database.reading() as session:
        for number in document_ids:
            _row(session, store, number)
    return passage_retriever(store.database, list(dict.fromkeys(document_ids)))


def search(store: Store, conversation_id: str, question: str, top_k: int = TOP_K) -> list[Found]:
    """The best passages in the documents of a conversation and its project, without any model. Raises NotFoundError."""
    store.get(conversation_id)
    retriever = conversation_retriever(store.database, conversation_id)
    return retriever.index.search(question, top_k) if retriever is not None else []
