"""A reply while it is written: looked at again every tick, with its own Stop; and news of what other tabs did."""

import streamlit as st

from conversations.replies import Reply, describe_wait, watch
from conversations.store import Conversation, Message, NotFoundError, State, Store
from documents.alignment import used_numbers, written_markers
from documents.source import Source, sources_of
from page.chat import sources
from page.chat.markers import link_growing_markers
from page.session.error import defer_error
from page.session.markdown import escape_markdown, growing_markdown

TICK = 0.06  # seconds between two looks at a reply of this process, or at one whose words its process tells us
TABLE_TICK = 0.3  # and at one that is read from the table
CHANGES_TICK = 1.0  # seconds between two looks at the conversation


def draw(store: Store, message: Message, is_first: bool) -> None:
    """Draw a growing message at every tick; Esc stops the first one on the page."""
    is_near = watch.local_reply(store.database, message.id) is not None or watch.has_push(store.database)
    st.fragment(_draw_growing, run_every=TICK if is_near else TABLE_TICK)(store, message.id, is_first)


def _draw_growing(store: Store, message_id: int, is_first: bool) -> None:
    """Draw text and Stop, which stands in this fragment so that no other widget shares its fate."""
    reply = watch.local_reply(store.database, message_id)
    message = watch.snapshot(store.database, message_id) if reply is None else None
    if reply is None and (message is None or not message.live):
        st.rerun()
    text = reply.text if reply is not None else message.text if message is not None else ""
    passages = _passages(store, message_id, reply) if text else []
    if text:
        st.markdown(growing_markdown(link_growing_markers(text, passages, message_id)))
    else:
        st.caption(escape_markdown(waiting_text(reply)))
    st.button(
        "Stop",
        key=f"stop-{message_id}",
        icon=":material/stop_circle:",
        on_click=_stop,
        args=(store, message_id),
        shortcut="Escape" if is_first else None,
    )
    sources.draw_growing(passages, message_id)


def _passages(store: Store, message_id: int, reply: Reply | None) -> list[Source]:
    """The passages that a growing reply was given, as far as they are known."""
    if reply is None:
        return store.sources(message_id)
    given = sources_of(reply.report.passages)
    if not reply.report.whole:
        return given
    used = set(used_numbers(written_markers(reply.text, given)))  # of whole files those that it names so far
    return [source for source in given if source.number in used]


def _stop(store: Store, message_id: int) -> None:
    try:
        watch.stop(store, message_id)
    except NotFoundError:
        defer_error("This reply was deleted.")


def waiting_text(reply: Reply | None) -> str:
    """What a reply without text is waiting for."""
    if reply is not None and reply.state is State.WAITING:
        return "Waiting for the reply before this one…"
    return describe_wait(reply)


@st.fragment(run_every=CHANGES_TICK)
def redraw_on_change(store: Store, drawn: Conversation) -> None:
    """Draw anew when another tab, or another process, went on with this conversation."""
    try:
        now = store.get(drawn.id)
    except NotFoundError:
        st.rerun()
    if (now.head, now.updated, now.title) != (drawn.head, drawn.updated, drawn.title):
        st.rerun()
