"""One message as it stands: its text, and what went wrong. Knows rows; not how a reply is made."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from conversations.replies import NOTE
from conversations.store import STATE_NOTES, Feedback, Message, State
from documents.source import Source
from page.chat import sources
from page.chat.markers import link_markers
from page.chat.metrics import format_metrics
from page.session.error import draw_error
from page.session.markdown import escape_markdown, link, safe_markdown


def draw_body(message: Message, feedback: Feedback | None, passages: Sequence[Source] = (), question: str = "") -> None:
    """Draw a person's message as it was typed, and a reply to `question` as Markdown, with its passages."""
    if message.role == "assistant":
        _draw_reply(message, passages, question)
    elif message.role == "user":
        st.text(message.text)
        _draw_attachments(message)
    else:
        with st.expander(escape_markdown(message.role.capitalize()), icon=":material/data_object:"):
            st.text(message.text)
            _draw_attachments(message)
    if feedback is not None and feedback.comment:
        st.caption(f":material/comment: {escape_markdown(feedback.comment)}")


def _draw_reply(message: Message, passages: Sequence[Source], question: str) -> None:
    """Draw a reply that has ended, with what its reader is to know."""
    if message.text:
        st.markdown(safe_markdown(link_markers(message.text, passages, message.id, question)))
    _draw_thinking(message)
    _draw_attachments(message)
    if message.error:
        draw_error(message.error)
    if note := (message.extra or {}).get(NOTE):
        st.caption(f":material/info: {escape_markdown(str(note))}")
    note = STATE_NOTES.get(State(message.state))
    line = " ".join(filter(None, (f"{note}." if note else "", format_metrics(message))))
    st.caption(escape_markdown(line))
    sources.draw(passages, message.id, message.text, question)


def _draw_attachments(message: Message) -> None:
    """Draw the names of files and the pages that an import brought beside the text."""
    names = [_attachment_label(each) for each in _entries(message, "attachments")]
    if names:
        st.caption(f":material/attach_file: {escape_markdown(', '.join(names))}")
    links = [link(str(each.get("title") or ""), str(each.get("url") or "")) for each in _entries(message, "references")]
    if links:
        st.caption(f":material/link: {' · '.join(links)}")


def _attachment_label(attachment: dict[str, Any]) -> str:
    """A file's name, and the prompt that an image was made from."""
    prompt = attachment.get("prompt")
    return f"{attachment.get('name')} ({prompt})" if isinstance(prompt, str) else str(attachment.get("name"))


def _entries(message: Message, name: str) -> list[dict[str, Any]]:
    """The objects of a list that an import brought under this name."""
    held = (message.extra or {}).get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def _draw_thinking(message: Message) -> None:
    """Draw what an import brought of a reply's reasoning and calls, folded up."""
    held = [(message.extra or {}).get(name) for name in ("reasoning", "details")]
    texts = [text for each in held if isinstance(each, list) for text in each if isinstance(text, str)]
    if texts:
        with st.expander("Thinking", icon=":material/data_object:"):
            st.text("\n\n".join(texts))
