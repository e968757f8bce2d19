"""One message as it stands: its text, and what went wrong."""

import streamlit as st

from conversations.replies.compaction import NOTE
from conversations.store.schema import Feedback, Message, State
from page.chat.figures import figures
from page.session.markdown import plain, safe

NOTES = {
    State.STOPPED: "Stopped.",
    State.INTERRUPTED: "Interrupted: the program ended in the middle of this reply.",
}


def body(message: Message, thought: Feedback | None) -> None:
    """What somebody said is drawn as it was typed, a reply as Markdown."""
    if message.role == "assistant":
        reply(message)
    elif message.role == "user":
        st.text(message.text)
        attached(message)
    else:
        with st.expander(plain(message.role.capitalize()), icon=":material/data_object:"):
            st.text(message.text)
    if thought is not None and thought.comment:
        st.caption(f":material/comment: {plain(thought.comment)}")


def reply(message: Message) -> None:
    """A reply that has ended."""
    if message.text:
        st.markdown(safe(message.text))
    attached(message)
    if message.error:
        failure(message.error)
    if note := (message.extra or {}).get(NOTE):
        st.caption(f":material/info: {plain(str(note))}")
    beside = [NOTES.get(State(message.state), ""), figures(message)]
    st.caption(plain(" ".join(part for part in beside if part)))


def attached(message: Message) -> None:
    """What an import brought beside the text: names, nothing is kept of the files."""
    names = [str(each.get("name")) for each in (message.extra or {}).get("attachments", []) if isinstance(each, dict)]
    if names:
        st.caption(f":material/attach_file: {plain(', '.join(names))}")


def failure(text: str) -> None:
    """Cause and remedy, one to a line."""
    st.error(safe(text).replace("\n", "  \n"), icon=":material/error:")
