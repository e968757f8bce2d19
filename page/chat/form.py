"""Forms that unfold in a message: editing one's own message, and explaining why a reply is good or bad."""

import streamlit as st

from conversations.store import (
    Feedback,
    Message,
    MessageError,
    NotFoundError,
    Store,
    check_message,
    clean,
)
from page.session.actions import enqueue
from page.session.current import current_conversation
from page.session.error import defer_error

MAX_COMMENT_CHARACTERS = 2000  # characters of a comment


def draw_edit(message: Message, *, has_pictures: bool = False) -> None:
    """Draw the message in a box; sending it begins another branch. One that has pictures needs no text."""
    with st.form(f"edit-{message.id}", border=False):
        st.text_area("Edit your message", message.text, key=f"edited-{message.id}", label_visibility="collapsed")
        with st.container(horizontal=True):
            st.form_submit_button("Send", type="primary", on_click=_send, args=(message.id, has_pictures))
            st.form_submit_button("Cancel", on_click=_close)


def _send(message_id: int, has_pictures: bool) -> None:
    text: str = st.session_state[f"edited-{message_id}"]
    try:
        check_message(text, beside=has_pictures)
    except MessageError as error:
        defer_error(str(error))
    else:
        enqueue("edit", message_id=message_id, text=text)
        _close()


def _close() -> None:
    current_conversation().editing_id = current_conversation().commenting_id = None


def draw_comment(store: Store, feedback: Feedback) -> None:
    """Draw a field for the reason of a thumb up or down."""
    question = "What was good about it?" if feedback.value > 0 else "What was bad about it?"
    key = f"comment-{feedback.message_id}"
    with st.form(f"form-{key}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            question,
            feedback.comment,
            key=key,
            placeholder=question,
            max_chars=MAX_COMMENT_CHARACTERS,
            label_visibility="collapsed",
        )
        st.form_submit_button("Save", on_click=_save_comment, args=(store, feedback))
        st.form_submit_button("Close", on_click=_close)


def _save_comment(store: Store, feedback: Feedback) -> None:
    try:
        store.rate(
            feedback.message_id, feedback.value, clean(st.session_state[f"comment-{feedback.message_id}"]).strip()
        )
    except NotFoundError:
        defer_error("This message is no longer there.")
    _close()
