"""What can be done with the open conversation: rename, move, pin, export, hand over, delete, and undo of that."""

from functools import partial
from typing import Any

import streamlit as st

from conversations import exchange
from conversations.store import Conversation, NotFoundError, Store, clean, projects
from page.chat import exports, sharing
from page.session.actions import enqueue
from page.session.binding import accept_change, bind, draw_select
from page.session.current import current_conversation, open_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown
from prompts.handover import handover_prompt

MAX_TITLE_CHARACTERS = 200
NO_PROJECT = "In no project"
FULL_WIDTH: dict[str, Any] = {"width": "stretch"}


def draw(store: Store, conversation: Conversation | None, *, is_temporary: bool = False) -> None:
    """Draw the menu of the open conversation; a new chat has none, and a temporary one nothing that would last."""
    if conversation is None:
        return
    conversation_id = conversation.id
    with st.popover("Chat", icon=":material/more_horiz:", key="menu"):
        name, title = f"title-{conversation_id}", conversation.title
        key = bind(name, title)
        st.text_input(
            "Title",
            title,
            key=key,
            max_chars=MAX_TITLE_CHARACTERS,
            on_change=accept_change,
            args=(name, key, partial(_rename, store, conversation_id, title)),
        )
        if not is_temporary:
            _draw_project(store, conversation)
            _draw_pin(store, conversation)
        st.button(
            "Summarise for hand-over",
            icon=":material/summarize:",
            on_click=enqueue,
            args=("send",),
            kwargs={"text": handover_prompt(), "conversation": current_conversation()},
            key=f"hand-over-{conversation_id}",
            **FULL_WIDTH,
        )
        exports.draw(store, conversation_id)
        if not is_temporary:
            sharing.draw(store, conversation_id)
        st.button(
            "Discard" if is_temporary else "Delete",
            icon=":material/delete:",
            on_click=partial(open_conversation) if is_temporary else partial(_delete, store, conversation_id),
            key=f"delete-chat-{conversation_id}",
            **FULL_WIDTH,
        )


def _draw_pin(store: Store, conversation: Conversation) -> None:
    pinned = conversation.pinned
    st.button(
        "Unpin" if pinned else "Pin",
        icon=":material/keep_off:" if pinned else ":material/keep:",
        on_click=_pin,
        args=(store, conversation.id, not pinned),
        key=f"{'unpin' if pinned else 'pin'}-{conversation.id}",
        **FULL_WIDTH,
    )


def _draw_project(store: Store, conversation: Conversation) -> None:
    """Draw where the conversation is, to be moved from there; nothing where there is no project."""
    names = {row.id: row.name for row in projects.listing(store)}
    if not names:
        return
    options = [None, *names]
    place = conversation.project_id if conversation.project_id in names else None
    move = partial(_move, store, conversation.id)
    draw_select("Project", options, place, lambda each: names.get(each, NO_PROJECT), f"place-{conversation.id}", move)


def _move(store: Store, conversation_id: str, project_id: str | None) -> None:
    try:
        projects.move(store, conversation_id, project_id)
    except NotFoundError as error:
        defer_error(str(error))


def _rename(store: Store, conversation_id: str, title: str, entered: str | None) -> None:
    """Set the title that was entered; an empty one brings the old one back."""
    try:
        store.update(conversation_id, title=" ".join(clean(entered or "").split()) or title)
    except NotFoundError as error:
        defer_error(str(error))


def _pin(store: Store, conversation_id: str, pinned: bool) -> None:
    try:
        store.update(conversation_id, pinned=pinned)
    except NotFoundError as error:
        defer_error(str(error))


def _delete(store: Store, conversation_id: str) -> None:
    """Delete a conversation; this browser session alone keeps what Undo brings back."""
    try:
        removed = exchange.remove(store, conversation_id)
    except NotFoundError:  # it is gone already, which was the aim
        open_conversation()
        return
    st.session_state["deleted"] = removed
    open_conversation()


def draw_undo(store: Store) -> None:
    """Draw the offer to bring back the conversation that was deleted last."""
    removed: exchange.Removed | None = st.session_state.get("deleted")
    if removed is None:
        return
    with st.container(key="deleted", border=True):
        st.caption(f"Deleted: {escape_markdown(str(removed.form['title']))}")
        with st.container(horizontal=True):
            st.button("Undo", icon=":material/undo:", on_click=_restore, args=(store,))
            st.button("Forget", help="Delete it for good", on_click=_forget)


def _restore(store: Store) -> None:
    removed = st.session_state.get("deleted")
    if removed is not None:
        open_conversation(exchange.restore(store, removed))
        _forget()  # after it is back: until then this is all there is of it


def _forget() -> None:
    st.session_state.pop("deleted", None)
