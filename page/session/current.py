"""Which conversation this tab shows, and what is unfolded in it. Knows the address and the session; no table.

The browser hears of another address a little later: what it sends meanwhile is out of date, however long it takes.
"""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from conversations.store import Store, forget_with
from page.session.pictures import Unseen

PAGE_SIZE = 50  # messages drawn at first, and added by "Show earlier"


@dataclass
class CurrentConversation:
    """The conversation of this tab; without `conversation_id` one that its first message begins, with `new_fields`.

    `highlighted_id` is the message that a search led to; `unseen` waits for a person's word. `temporary` is the store
    of a temporary chat, which ends with this object: no address leads to it.
    """

    conversation_id: str | None = None
    new_fields: dict[str, Any] = field(default_factory=dict)
    message_limit: int = PAGE_SIZE
    highlighted_id: int | None = None
    editing_id: int | None = None
    commenting_id: int | None = None
    unseen: Unseen | None = None
    temporary: Store | None = None

    @property
    def address(self) -> str | None:
        """What the tab's address names."""
        return None if self.temporary else self.conversation_id


def follow_history() -> None:
    """Note where Back or Forward led. Called before anything can interrupt the run, which alone knows of it."""
    run = get_script_run_ctx()
    if run is not None and run.is_history_navigation:
        st.session_state["history_address"] = st.query_params.get("c")


def follow_address() -> CurrentConversation:
    """The conversation of this tab, called before anything is drawn: what the address names when the tab is opened,
    and where Back or Forward led. Any other address that differs is one that is behind.
    """
    wanted = st.query_params.get("c")
    if "conversation" not in st.session_state:
        st.session_state["conversation"] = CurrentConversation(wanted)
    if "history_address" in st.session_state:
        led = st.session_state["history_address"]
        if led != current_conversation().address:
            st.session_state["conversation"] = CurrentConversation(led)
        del st.session_state["history_address"]
    conversation = current_conversation()
    if wanted != conversation.address:
        _write_address(conversation)
    return conversation


def current_conversation() -> CurrentConversation:
    """The conversation as this session holds it, whatever the address says."""
    conversation: CurrentConversation = st.session_state.setdefault("conversation", CurrentConversation())
    return conversation


def open_conversation(conversation_id: str | None = None, message_id: int | None = None) -> None:
    """Show another conversation, at a message where one is named; a new one without an id."""
    st.session_state["conversation"] = conversation = CurrentConversation(conversation_id, highlighted_id=message_id)
    _write_address(conversation)


def open_temporary_chat(store: Store) -> None:
    """Show a new temporary chat in this store, which loses all of it when the tab shows anything else.

    It is in no project: what is in one is kept.
    """
    fields = {name: value for name, value in current_conversation().new_fields.items() if name != "project_id"}
    st.session_state["conversation"] = chat = CurrentConversation(new_fields=fields, temporary=store)
    forget_with(chat, store)


def update_conversation(store: Store, **fields: Any) -> None:
    """Set fields of the conversation, or of the one that will begin. Raises NotFoundError."""
    conversation = current_conversation()
    if conversation.conversation_id is None:
        conversation.new_fields.update(fields)
    else:
        store.update(conversation.conversation_id, **fields)


def _write_address(conversation: CurrentConversation) -> None:
    if conversation.address:
        st.query_params["c"] = conversation.address
    else:
        st.query_params.pop("c", None)
