"""The documents of the open conversation: what there is, what is being read, and what words stand where in them.

Finding asks no model. Knows the store's documents and readings; nothing of how a file is read.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import PurePath

import streamlit as st

import backends
from chains.window import size
from conversations.library import Reading, files, reading, vectors
from conversations.store import Conversation, Document, NotFoundError, Project, Store
from documents.kind import READABLE
from documents.settings import DocumentSettings
from documents.source import sources_of
from page.chat import sources
from page.session import actions
from page.session.binding import accept_change, bind
from page.session.context import PageContext
from page.session.error import defer_error
from page.session.markdown import escape_markdown
from page.session.selection import Selection
from settings import Settings, SettingsError

READING_TICK = 0.3  # seconds between two looks at what is being read
VECTORS_TICK = 1.0  # and at how many vectors there are
SMALL_WINDOW = 2_048  # tokens of a window in which only a few passages fit
SMALL_WINDOW_NOTE = "Only two or three short passages fit beside a question in this model's window."
DEFAULT_MODEL_NOTE = (
    "The small model that ships cannot answer from documents: look at the passages under its reply, or find below."
)


def upload_limit(limits: DocumentSettings) -> int:
    """The largest upload in whole MB, rounded up: a file a little too large is refused with the exact figures."""
    return -(-limits.max_bytes // 1_000_000)


def draw(
    context: PageContext, conversation: Conversation | None, selection: Selection, project: Project | None
) -> None:
    """Draw the popover of documents; where no backend can answer, files are uploaded here too."""
    rows = files.listing(context.store, conversation.id) if conversation else []
    shared = files.project_listing(context.store, project.id) if project else []
    mute = selection.backend is None or selection.problem is not None
    if not rows and not shared and not mute:
        return
    searched = len(rows) + len(shared)
    count = f" ({searched})" if searched else ""
    with st.popover(f"Documents{count}", icon=":material/description:", key="documents"):
        if mute:
            _draw_upload(context.limits)
        for row in rows:
            draw_document(context.store, row)
        for row in shared:
            st.caption(f":material/folder_open: {escape_markdown(row.name)} · {_description(row)}")
        if conversation and searched:
            _draw_whole(context.store, conversation)
            _draw_model_limits(selection.backend, context.settings)
            _draw_search(context.store, conversation.id)


def draw_document(store: Store, row: Document) -> None:
    """Draw a document's name and size, and its Delete."""
    with st.container(horizontal=True, vertical_alignment="center", key=row.id):
        with st.container(gap=None):
            st.text(row.name)
            st.caption(_description(row))
            if (job := vectors.job_of(store.database, row.id)) is not None and job.error:
                st.caption(f":material/warning: {escape_markdown(job.error)}")
        if files.lacks_vectors(store, row):
            st.button(
                "Search by meaning",
                icon=":material/neurology:",
                key=f"embed-{row.id}",
                on_click=_embed,
                args=(store, row.id),
                help=f"Words in {escape_markdown(row.name)} are found already; this takes a while, in the background",
            )
        st.button(
            "Delete",
            icon=":material/delete:",
            key=f"delete-{row.id}",
            on_click=_remove,
            args=(store, row.id),
            help=f"Delete {escape_markdown(row.name)}",
        )


def _draw_whole(store: Store, conversation: Conversation) -> None:
    """Draw the switch that has the documents read whole."""
    name = f"whole-{conversation.id}"
    key = bind(name, conversation.whole)
    st.toggle(
        "Read all of it",
        conversation.whole,
        key=key,
        help="The whole text stands in the prompt where the model's window holds it, and not only passages that fit.",
        on_change=accept_change,
        args=(name, key, partial(_set_whole, store, conversation.id)),
    )


def _set_whole(store: Store, conversation_id: str, whole: bool) -> None:
    try:
        store.update(conversation_id, whole=whole)
    except NotFoundError as error:
        defer_error(str(error))


def _description(row: Document) -> str:
    """Pages, passages and size of a document."""
    size = f"{row.bytes / 1e6:,.1f} MB" if row.bytes >= 1e6 else f"{row.bytes / 1e3:,.1f} kB"
    return " · ".join([*files.describe(row), size])


def _remove(store: Store, number: str) -> None:
    try:
        files.delete(store, number)
    except NotFoundError:
        defer_error("This document is no longer there.")


def _embed(store: Store, number: str) -> None:
    try:
        files.embed(store, number)
    except NotFoundError:
        defer_error("This document is no longer there.")
    except SettingsError as error:
        defer_error(str(error))


def _draw_model_limits(backend: str | None, settings: Settings) -> None:
    """Draw what is not to be expected of a model with a small window."""
    loaded = backends.loaded_model(backend or "")
    window = size(loaded) if loaded is not None else None
    small = backend is not None and backends.is_default_model(backend, settings)
    if small or (window is not None and window <= SMALL_WINDOW):
        st.caption(f":material/info: {SMALL_WINDOW_NOTE} {DEFAULT_MODEL_NOTE if small else ''}")


def _draw_search(store: Store, conversation_id: str) -> None:
    """Draw a search field and the passages that fit, best first."""
    question = st.text_input(
        "Find in documents", key=f"find-{conversation_id}", placeholder="Words, or a question", icon=":material/search:"
    )
    if question and question.strip():
        passages = sources_of(files.search(store, conversation_id, question))
        if not passages:
            st.caption("Nothing found")
        sources.draw_passages(store, passages)


def _draw_upload(limits: DocumentSettings) -> None:
    """Draw a box for files, for when the input for messages is disabled."""
    turn: int = st.session_state.setdefault("brought", 0)  # another key empties the box
    st.file_uploader(
        f"{READABLE}: words in them are found without a model",
        accept_multiple_files=True,
        key=f"bring-{turn}",
        max_upload_size=upload_limit(limits),
        on_change=_upload,
        args=(f"bring-{turn}",),
    )


def _upload(key: str) -> None:
    uploads = st.session_state[key]
    st.session_state["brought"] += 1
    if uploads:
        actions.enqueue_files("", [(PurePath(upload.name).name, upload.getvalue()) for upload in uploads])


def draw_readings(store: Store, holder: str, rows: Sequence[Document]) -> None:
    """Draw the progress of files being read for a conversation or a project, and what is to be said of those that were.

    `rows` are its documents that were read.
    """
    readings = reading.running(store.database, holder)
    if live := [each for each in readings if not each.finished.is_set()]:
        st.fragment(_draw_progress, run_every=READING_TICK)(live)
    elif unfinished := [row.id for row in rows if row.embedding and row.vectors < row.passages]:
        st.fragment(_draw_vectors, run_every=VECTORS_TICK)(store, unfinished)
    for number, each in enumerate(readings):
        if message := each.error or (each.finished.is_set() and each.notice):
            with st.container(horizontal=True, vertical_alignment="center", key=f"unread-{holder}-{number}"):
                draw, icon = (st.error, ":material/error:") if each.error else (st.warning, ":material/warning:")
                draw(escape_markdown(message), icon=icon)
                st.button(
                    "Dismiss",
                    key=f"dismiss-{holder}-{number}",
                    on_click=reading.dismiss,
                    args=(store.database, holder, each),
                )


def _draw_vectors(store: Store, document_ids: Sequence[str]) -> None:
    """Draw how many passages can be found by meaning so far; whoever asks meanwhile is answered from those."""
    rows = [row for row in files.find(store, document_ids) if row.embedding and row.vectors < row.passages]
    for row in rows:
        job = vectors.job_of(store.database, row.id)
        if job is None or not job.error:
            st.progress(row.vectors / row.passages, text=escape_markdown(files.describe_progress(row)))
    if not rows:
        st.rerun()


def draw_invitation(store: Store, conversation_id: str) -> None:
    """Draw what to do with documents in a conversation without messages."""
    if files.listing(store, conversation_id):
        st.caption("Ask something about the documents, or find words in them under Documents.")


def _draw_progress(live: Sequence[Reading]) -> None:
    """Draw how far each reading is; the page is drawn anew when one has ended."""
    if any(each.finished.is_set() for each in live):
        st.rerun()
    for each in live:
        st.progress(each.done / each.total if each.total else 0.0, text=escape_markdown(each.label))
