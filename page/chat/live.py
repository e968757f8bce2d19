"""A reply while it is written, with its own Stop, and news of what other tabs did: looked at again at every tick where
the browser cannot follow them by itself.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from blocks import GrowingText
from blocks.markers import link_growing_markers
from conversations.replies import watch
from conversations.store import Conversation, Message, MessageError, NotFoundError, Store, ToolCall
from documents.source import Source
from page.chat import calls, reply, sources
from page.chat.growing import given_passages, passage_key, thought_blocks, waiting_text
from page.session.error import defer_error

TICK = 0.2  # seconds between two looks at a reply
CHANGES_TICK = 1.0  # seconds between two looks at the conversation


def draw(
    store: Store,
    message: Message,
    is_first: bool,
    stream_data: dict[str, Any] | None,
    made_calls: Sequence[ToolCall] = (),
) -> None:
    """Draw a growing message, which its browser follows, or where it cannot, at every tick; Esc stops the first one."""
    calls.draw(made_calls)
    if stream_data is not None:
        _draw_growing(store, message, is_first, stream_data)
    else:
        st.fragment(_look, run_every=TICK)(store, message, is_first)


def draw_words(
    store: Store, message: Message, stream_data: dict[str, Any] | None, passages: Sequence[Source] = ()
) -> None:
    """Draw the words of a growing message: its browser follows them, or where it cannot, as they are now."""
    growing = watch.local_reply(store.database, message.id)
    wait, key, answer = waiting_text(growing), f"reply-{message.id}", partial(_answer_now, store, message.id)
    if stream_data is not None:
        reply.draw_growing(key, f"r:{message.id}", stream_data, wait, answer, sources=passage_key(passages, growing))
        return
    text = link_growing_markers(message.text, passages, message.id)
    blocks = (*thought_blocks(message, growing=not text), *(GrowingText().update(text) if text else ()))
    can_answer = watch.can_answer_now(message, growing)
    reply.draw_now(key, blocks, answer, growing=True, wait="" if blocks else wait, answer=can_answer)


def _look(store: Store, message: Message, is_first: bool) -> None:
    """Draw the message as it is now, with Stop in this fragment so that no other widget shares its fate."""
    now = refresh(store, message)
    if not now.live:
        st.rerun()
    _draw_growing(store, now, is_first, None)


def refresh(store: Store, message: Message) -> Message:
    """A live message as it is now, from this process where it writes it, else from the database."""
    growing = watch.local_reply(store.database, message.id)
    if growing is not None:
        watch.take_growth(message, growing)
        return message
    now = watch.snapshot(store.database, message.id)
    if now is None:  # deleted
        st.rerun()
    return now


def _draw_growing(store: Store, message: Message, is_first: bool, stream_data: dict[str, Any] | None) -> None:
    """Draw the words, and what stands beside them."""
    passages = given_passages(store, message.id, watch.local_reply(store.database, message.id))
    draw_words(store, message, stream_data, passages)
    st.button(
        "Stop",
        key=f"stop-{message.id}",
        icon=":material/stop_circle:",
        on_click=_stop,
        args=(store, message.id),
        shortcut="Escape" if is_first else None,
    )
    sources.draw_growing(store, passages, message.id)


def _answer_now(store: Store, message_id: int) -> None:
    try:
        watch.answer_now(store, message_id)
    except NotFoundError:
        defer_error("This reply was deleted.")
    except MessageError:  # it answers by now, which was the aim
        return


def _stop(store: Store, message_id: int) -> None:
    try:
        watch.stop(store, message_id)
    except NotFoundError:
        defer_error("This reply was deleted.")


@st.fragment(run_every=CHANGES_TICK)
def redraw_on_change(store: Store, drawn: Conversation) -> None:
    """Draw anew when another tab, or another process, went on with this conversation."""
    try:
        now = store.get(drawn.id)
    except NotFoundError:
        st.rerun()
    if (now.head, now.updated, now.title) != (drawn.head, drawn.updated, drawn.title):
        st.rerun()
