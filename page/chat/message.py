"""One message as it stands: its text, and what went wrong. Knows rows; not how a reply is made."""

import streamlit as st

from conversations.replies import NOTE
from conversations.store import STATE_NOTES, Feedback, Message, State
from page.chat.metrics import format_metrics
from page.session.error import draw_error
from page.session.markdown import escape_markdown, safe_markdown


def draw_body(message: Message, feedback: Feedback | None) -> None:
    """Draw a person's message as it was typed, and a reply as Markdown."""
    if message.role == "assistant":
        _draw_reply(message)
    elif message.role == "user":
        st.text(message.text)
        _draw_attachments(message)
    else:
        with st.expander(escape_markdown(message.role.capitalize()), icon=":material/data_object:"):
            st.text(message.text)
    if feedback is not None and feedback.comment:
        st.caption(f":material/comment: {escape_markdown(feedback.comment)}")


def _draw_reply(message: Message) -> None:
    """Draw a reply that has ended, with what its reader is to know."""
    if message.text:
        st.markdown(safe_markdown(message.text))
    _draw_attachments(message)
    if message.error:
        draw_error(message.error)
    if note := (message.extra or {}).get(NOTE):
        st.caption(f":material/info: {escape_markdown(str(note))}")
    note = STATE_NOTES.get(State(message.state))
    line = " ".join(filter(None, (f"{note}." if note else "", format_metrics(message))))
    st.caption(escape_markdown(line))


def _draw_attachments(message: Message) -> None:
    """Draw the names of files that an import brought beside the text; nothing else is kept of them."""
    names = [str(each.get("name")) for each in (message.extra or {}).get("attachments", []) if isinstance(each, dict)]
    if names:
        st.caption(f":material/attach_file: {escape_markdown(', '.join(names))}")
