"""The conversations in the sidebar: pinned, today, yesterday, older; and what a search finds in them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from conversations.store import Conversation, Hit, NotFoundError, Store, search_conversations
from page.session.current import current_conversation, open_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown

PAGE_SIZE = 30  # rows at first, and added by "Show more"


def draw(store: Store) -> None:
    """The search box, then what it finds, or everything by its day."""
    words = st.text_input(
        "Search",
        key="search",
        placeholder="Search",
        icon=":material/search:",
        label_visibility="collapsed",
        persist_state="session",
    )
    if words and words.strip():
        _draw_hits(store, words)
        return
    shown: int = st.session_state.setdefault("listed", PAGE_SIZE)
    rows = store.listing(limit=shown + 1)
    with st.container(gap="xxsmall"):
        _draw_groups(rows[:shown])
    if len(rows) > shown:
        st.button("Show more", key="more", type="tertiary", on_click=_show_more)


def _draw_groups(rows: list[Conversation]) -> None:
    """The rows under their headings."""
    group = ""
    for conversation in rows:
        if (named := _day_heading(conversation)) != group:
            group = named
            st.caption(group)
        _draw_row(conversation)


def _show_more() -> None:
    st.session_state["listed"] += PAGE_SIZE


def _day_heading(conversation: Conversation) -> str:
    """The heading under which it stands."""
    if conversation.pinned:
        return "Pinned"
    zone = _browser_timezone()
    today = datetime.now(zone).date()
    written = datetime.fromtimestamp(conversation.updated, zone).date()
    return "Today" if written >= today else "Yesterday" if written == today - timedelta(days=1) else "Older"


def _browser_timezone() -> ZoneInfo | None:
    """The browser's; None, the server's own, where it is not known."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _draw_row(conversation: Conversation) -> None:
    """One conversation; the open one stands out."""
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


def _draw_hits(store: Store, words: str) -> None:
    """What was found, with the words around it; pressing one opens its branch there."""
    found = search_conversations(store, words)
    st.caption(f"{len(found)} found" if found else "Nothing found")
    with st.container(gap="xxsmall"):
        for hit in found:
            _draw_hit(store, hit)


def _draw_hit(store: Store, hit: Hit) -> None:
    """One of them."""
    st.button(
        escape_markdown(hit.title) or "Untitled",
        key=f"hit-{hit.conversation_id}",
        width="stretch",
        type="tertiary",
        wrap=False,
        on_click=_open_hit,
        args=(store, hit),
    )
    if hit.message_id is not None:
        st.caption(escape_markdown(hit.snippet))


def _open_hit(store: Store, hit: Hit) -> None:
    open_conversation(hit.conversation_id, hit.message_id)
    if hit.message_id is not None:
        try:
            current_conversation().message_limit = _show_branch(store, hit.message_id)
        except NotFoundError:
            defer_error("This message is no longer there.")


def _show_branch(store: Store, message_id: int) -> int:
    """Show the branch of a message; how many messages have to be drawn for it to be among them."""
    path = store.branch(message_id)
    if message_id not in path:
        store.select_branch(message_id)
        path = store.branch(message_id)
    return max(current_conversation().message_limit, len(path) - path.index(message_id) + 1)
