"""A conversation in the sidebar: a button with its title. Knows which one is open; no list."""

import streamlit as st

from conversations.store import Conversation
from page.session.current import current_conversation, open_conversation
from page.session.markdown import escape_markdown


def draw_row(conversation: Conversation) -> None:
    """Draw a conversation as a button; the open one stands out."""
    st.button(
        escape_markdown(conversation.title) or "Untitled",
        key=f"row-{conversation.id}",
        width="stretch",
        wrap=False,
        type="secondary" if conversation.id == current_conversation().conversation_id else "tertiary",
        on_click=open_conversation,
        args=(conversation.id,),
        icon=":material/view_column:" if conversation.kind == "compare" else None,
    )
