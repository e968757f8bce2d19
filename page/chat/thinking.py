"""How much the models of a conversation are to think: a picker, where the model that answers knows of it.

Knows what is chosen; not how a model is told.
"""

from functools import partial

import streamlit as st

from conversations.replies import steering
from conversations.store import Conversation, NotFoundError, Store
from page.session.binding import draw_select
from page.session.current import current_conversation, update_conversation
from page.session.error import defer_error
from page.session.selection import Selection


def draw(store: Store, conversation: Conversation | None, selection: Selection) -> None:
    """Draw the picker; also where the model does not know what was chosen for another one, so that it can be undone."""
    known = steering.known_efforts(selection.backend, selection.model)
    current = current_conversation()
    chosen = conversation.reasoning_effort if conversation else current.new_fields.get("reasoning_effort")
    if not known and chosen is None:
        return
    options = [None, *known, *([] if chosen in (None, *known) else [chosen])]
    name = f"thinking-{current.conversation_id}"
    draw_select("Thinking", options, chosen, _label, name, partial(_choose, store))
    if chosen not in (None, *known):
        st.caption("This model does not know that, and refuses to answer: choose another.")


def _label(effort: str | None) -> str:
    return steering.describe(effort).capitalize()


def _choose(store: Store, effort: str | None) -> None:
    try:
        update_conversation(store, reasoning_effort=effort)
    except NotFoundError as error:
        defer_error(str(error))
