"""The conversations in the sidebar: pinned, today, yesterday, older; and what a search finds in them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from conversations.store import Conversation, Hit, NotFoundError, Project, Store, search_conversations
from page.chat import projects
from page.chat.row import draw_row
from page.session.current import current_conversation, open_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown

PAGE_SIZE = 30  # rows at first, and added by "Show more"


def draw(store: Store, project: Project | None) -> None:
    """Draw the search box, then what it finds, or the projects, and by their day the conversations in none."""
    query = st.text_input(
        "Search",
        key="search",
        placeholder="Search",
        icon=":material/search:",
        label_visibility="collapsed",
        persist_state="session",
    )
    if query and query.strip():
        _draw_hits(store, query, project)
        return
    projects.draw(store, project)
    limit: int = st.session_state.setdefault("listed", PAGE_SIZE)
    rows = projects.outside(store, limit + 1)
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
        draw_row(conversation)


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


def _draw_hits(store: Store, query: str, project: Project | None) -> None:
    """Draw search hits with the words around them; pressing one opens its branch there."""
    within = project.id if project is not None and _is_within(project) else None
    with_thinking = st.checkbox("Also in what models thought", key="search-thinking", persist_state="session")
    results = search_conversations(store, query, with_thinking=with_thinking, project_id=within)
    st.caption(f"{len(results)} found" if results else "Nothing found")
    with st.container(gap="xxsmall"):
        for hit in results:
            _draw_hit(store, hit)


def _is_within(project: Project) -> bool:
    """Whether the open project alone is searched, as it is unless somebody says otherwise."""
    label = f"Only in {escape_markdown(project.name)}"
    return st.checkbox(label, value=True, key=f"search-{project.id}", persist_state="session")


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
