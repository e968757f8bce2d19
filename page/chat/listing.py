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
    """Draw the search box, then what it finds, or all conversations by their day."""
    query = st.text_input(
        "Search",
        key="search",
        placeholder="Search",
        icon=":material/search:",
        label_visibility="collapsed",
        persist_state="session",
    )
    if query and query.strip():
        _draw_hits(store, query)
        return
    limit: int = st.session_state.setdefault("listed", PAGE_SIZE)
    rows = store.listing(limit=limit + 1)
    with st.container(gap="xxsmall"):
        _draw_groups(rows[:limit])
    if len(rows) > limit:
        st.button("Show more", key="more", type="tertiary", on_click=_show_more)


def _draw_groups(rows: list[Conversation]) -> None:
    """Draw the conversations under the headings of their days."""
    group = ""
    for conversation in rows:
        if (heading := _day_heading(conversation)) != group:
            group = heading
            st.caption(group)
        _draw_row(conversation)


def _show_more() -> None:
    st.session_state["listed"] += PAGE_SIZE


def _day_heading(conversation: Conversation) -> str:
    """The heading under which a conversation stands: Pinned, Today, Yesterday or Older."""
    if conversation.pinned:
        return "Pinned"
    zone = _browser_timezone()
    today = datetime.now(zone).date()
    written = datetime.fromtimestamp(conversation.updated, zone).date()
    return "Today" if written >= today else "Yesterday" if written == today - timedelta(days=1) else "Older"


def _browser_timezone() -> ZoneInfo | None:
    """The browser's time zone; None, which is the server's own, where it is not known."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _draw_row(conversation: Conversation) -> None:
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


def _draw_hits(store: Store, query: str) -> None:
    """Draw search hits with the words around them; pressing one opens its branch there."""
    with_thinking = st.checkbox("Also in what models thought", key="search-thinking", persist_state="session")
    results = search_conversations(store, query, with_thinking=with_thinking)
    st.caption(f"{len(results)} found" if results else "Nothing found")
    with st.container(gap="xxsmall"):
        for hit in results:
            _draw_hit(store, hit)


def _draw_hit(store: Store, hit: Hit) -> None:
    """Draw a hit's title and snippet."""
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
        st.caption(f"{':material/neurology: Thought: ' if hit.is_thought else ''}{escape_markdown(hit.snippet)}")


def _open_hit(store: Store, hit: Hit) -> None:
    open_conversation(hit.conversation_id, hit.message_id)
    if hit.message_id is not None:
        try:
            current_conversation().message_limit = _show_branch(store, hit.message_id)
        except NotFoundError:
            defer_error("This message is no longer there.")


def _show_branch(store: Store, message_id: int) -> int:
    """Select the branch of a message; the number of messages to draw for it to be among them. Raises NotFoundError."""
    path = store.branch(message_id)
    if message_id not in path:
        store.select_branch(message_id)
        path = store.branch(message_id)
    return max(current_conversation().message_limit, len(path) - path.index(message_id) + 1)
