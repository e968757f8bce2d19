"""One message as it stands: its text, and what went wrong."""

import streamlit as st

from conversations.replies import NOTE
from conversations.store import Feedback, Message, State
from page.chat.figures import figures
from page.session.error import draw_error
from page.session.markdown import escape_markdown, safe_markdown

NOTES = {
    State.STOPPED: "Stopped.",
    State.INTERRUPTED: "Interrupted: the program ended in the middle of this reply.",
}


def draw_body(message: Message, feedback: Feedback | None) -> None:
    """What somebody said is drawn as it was typed, a reply as Markdown."""
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
    """A reply that has ended."""
    if message.text:
        st.markdown(safe_markdown(message.text))
    _draw_attachments(message)
    if message.error:
        draw_error(message.error)
    if note := (message.extra or {}).get(NOTE):
        st.caption(f":material/info: {escape_markdown(str(note))}")
    beside = [NOTES.get(State(message.state), ""), figures(message)]
    st.caption(escape_markdown(" ".join(part for part in beside if part)))


def _draw_attachments(message: Message) -> None:
    """What an import brought beside the text: names, nothing is kept of the files."""
    names = [str(each.get("name")) for each in (message.extra or {}).get("attachments", []) if isinstance(each, dict)]
    if names:
        st.caption(f":material/attach_file: {escape_markdown(', '.join(names))}")
