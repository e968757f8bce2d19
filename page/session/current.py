"""Which conversation this tab shows, and what is unfolded in it. Knows the address and the session; no table.

The address is the truth, but the browser hears of a change a little later: what it sends meanwhile is out of date.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from conversations.store import Store

PAGE_SIZE = 50  # messages drawn at first, and added by "Show earlier"
ADDRESS_LAG = 3.0  # seconds in which an address that differs is an old one


@dataclass
class CurrentConversation:
    """The conversation of this tab; without `conversation_id` one that its first message begins, with `new_fields`.

    `highlighted_id` is the message that a search led to, `address_written` when this was last put into the address.
    """

    conversation_id: str | None = None
    new_fields: dict[str, Any] = field(default_factory=dict)
    message_limit: int = PAGE_SIZE
    highlighted_id: int | None = None
    editing_id: int | None = None
    commenting_id: int | None = None
    address_written: float | None = None  # on the monotonic clock


def follow_address() -> CurrentConversation:
    """The conversation that the address names, opened where it is another; called before anything is drawn."""
    conversation = current_conversation()
    wanted = st.query_params.get("c")
    if wanted == conversation.conversation_id:
        return conversation
    written = conversation.address_written
    late = written is not None and time.monotonic() - written < ADDRESS_LAG
    returned = "message" not in st.session_state and not wanted  # from another page: the input's state went with it
    if late or returned or (conversation.conversation_id and written is None):
        _write_address(conversation)
        return conversation
    st.session_state["conversation"] = CurrentConversation(wanted, address_written=float("-inf"))
    return current_conversation()


def current_conversation() -> CurrentConversation:
    """The conversation as this session holds it, whatever the address says."""
    conversation: CurrentConversation = st.session_state.setdefault("conversation", CurrentConversation())
    return conversation


def open_conversation(conversation_id: str | None = None, message_id: int | None = None) -> None:
    """Show another conversation, at a message where one is named; a new one without an id."""
    st.session_state["conversation"] = opened = CurrentConversation(conversation_id, highlighted_id=message_id)
    _write_address(opened)


def update_conversation(store: Store, **fields: Any) -> None:
    """Set fields of the conversation, or of the one that will begin. Raises NotFoundError."""
    conversation = current_conversation()
    if conversation.conversation_id is None:
        conversation.new_fields.update(fields)
    else:
        store.update(conversation.conversation_id, **fields)


def _write_address(conversation: CurrentConversation) -> None:
    conversation.address_written = time.monotonic()
    if conversation.conversation_id:
        st.query_params["c"] = conversation.conversation_id
    else:
        st.query_params.pop("c", None)
