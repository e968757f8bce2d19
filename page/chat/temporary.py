"""A temporary chat: the switch that makes a new chat one, and what says all along that it is. Knows no table."""

import streamlit as st

from conversations.store import DatabaseError, open_temporary
from page.session.binding import accept_change, bind
from page.session.current import current_conversation, open_conversation, open_temporary_chat
from page.session.error import defer_error

NOTICE = (
    "**Temporary chat.** It is kept in no database, no list and no log, and is gone for good when you open another "
    "chat, reload or close this page. What a server answers is that server's affair."
)


def draw_switch() -> None:
    """Draw the switch of a chat that has not begun."""
    is_on = current_conversation().temporary is not None
    key = bind("temporary", is_on)
    with st.container(key="temporary-switch", horizontal=True, horizontal_alignment="center"):
        st.toggle("Temporary chat", is_on, key=key, on_change=accept_change, args=("temporary", key, _switch))


def draw_notice() -> None:
    """Draw what a temporary chat is; nothing in any other."""
    if current_conversation().temporary is not None:
        st.info(NOTICE, icon=":material/visibility_off:")


def _switch(is_on: bool) -> None:
    if not is_on:
        open_conversation()
        return
    try:
        open_temporary_chat(open_temporary())
    except DatabaseError as error:
        defer_error(str(error))
