"""One message as it stands: its text, and what went wrong. Knows rows; not how a reply is made."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from blocks import render_blocks
from blocks.markers import link_markers
from conversations.replies import NOTE, end_note
from conversations.store import Feedback, Message, PictureInfo, Store, ToolCall
from documents.source import Source
from page.chat import calls, reply, sources
from page.chat import pictures as drawn
from page.chat.growing import thought_blocks
from page.chat.metrics import format_metrics
from page.session.error import draw_error
from page.session.markdown import escape_markdown, link

STRANGERS = ":material/group: Holds words of strangers: of a document, a tool or an imported file."


def draw_body(
    store: Store,
    message: Message,
    feedback: Feedback | None,
    passages: Sequence[Source] = (),
    question: str = "",
    *,
    pictures: Sequence[PictureInfo] = (),
    made_calls: Sequence[ToolCall] = (),
    holds_strangers: bool = False,
    stream_data: dict[str, Any] | None = None,
) -> None:
    """Draw a person's message as it was typed, and a reply to `question` as Markdown, with its passages and calls.
    Pictures stand above the words.

    `stream_data`: that of the tab, where it followed the growing reply. `holds_strangers`: as
    `conversations.replies.strangers` has it.
    """
    drawn.draw(store, pictures)
    if message.role == "assistant":
        calls.draw(made_calls)
        _draw_reply(store, message, passages, question, stream_data)
        calls.draw_cards(made_calls)
    elif message.role == "user":
        if message.text or not pictures:
            st.text(message.text)
        _draw_attachments(message)
    else:
        with st.expander(escape_markdown(message.role.capitalize()), icon=":material/data_object:"):
            st.text(message.text)
            _draw_attachments(message)
    if holds_strangers:
        st.caption(STRANGERS)
    if feedback is not None and feedback.comment:
        st.caption(f":material/comment: {escape_markdown(feedback.comment)}")


def _draw_reply(
    store: Store, message: Message, passages: Sequence[Source], question: str, stream_data: dict[str, Any] | None
) -> None:
    """Draw a reply that has ended, with what its reader is to know."""
    text = link_markers(message.text, passages, message.id, question) if message.text else ""
    if blocks := (*thought_blocks(message), *render_blocks(text)):
        reply.draw(message.id, blocks, stream_data)
    _draw_reasoning(message)
    _draw_attachments(message)
    if message.error:
        draw_error(message.error)
    if note := (message.extra or {}).get(NOTE):
        st.caption(f":material/info: {escape_markdown(str(note))}")
    note = end_note(message)
    line = " ".join(filter(None, (f"{note}." if note else "", format_metrics(message))))
    st.caption(escape_markdown(line))
    sources.draw(store, passages, message.id, message.text, question)


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


def _draw_reasoning(message: Message) -> None:
    """Draw what an import brought of a reply's reasoning and calls, folded up."""
    held = [(message.extra or {}).get(name) for name in ("reasoning", "details")]
    texts = [text for each in held if isinstance(each, list) for text in each if isinstance(text, str)]
    if texts:
        with st.expander("Thinking", icon=":material/data_object:"):
            st.text("\n\n".join(texts))
