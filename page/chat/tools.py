"""Which tools a conversation has switched on: a menu of those that there are, and why others cannot be used now.

Knows what tools say of themselves; not how one is called.
"""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from conversations.store import Conversation, NotFoundError, Project, Store
from page.session.binding import accept_change, bind
from page.session.current import current_conversation, update_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown, safe_markdown
from page.session.project import effective, own_choice
from settings import Settings
from tools import OWN, ToolInfo, list_tools

NOTE = "A tool marked :material/front_hand: asks you before each call."
GRANTS = {"always": "runs unasked in this conversation", "never": "is not run in this conversation"}


def draw(store: Store, conversation: Conversation | None, project: Project | None, settings: Settings) -> None:
    """Draw the menu; its button says how many are on."""
    on = effective(conversation, project).tools
    grants = (conversation.grants if conversation else None) or {}
    with st.popover(f"Tools ({len(on)})" if on else "Tools", icon=":material/build:", key="tools"):
        st.caption(NOTE)
        for info in list_tools(settings):
            _draw_tool(store, info, on, grants.get(info.name), project)
        if project is not None and own_choice(conversation, "tools") is not None:
            st.button(
                "As the project has them",
                icon=":material/folder_open:",
                on_click=_update,
                args=(store,),
                kwargs={"tools": None},
            )
        if grants:
            st.button(
                "Ask again about all", icon=":material/undo:", on_click=_update, args=(store,), kwargs={"grants": None}
            )


def _draw_tool(store: Store, info: ToolInfo, on: Sequence[str], grant: str | None, project: Project | None) -> None:
    """Draw one tool with its switch; one that cannot be used has none, but says why."""
    where = "" if info.origin == OWN else f" · {escape_markdown(info.origin)}"
    hand = " :material/front_hand:" if info.needs_approval else ""
    label = f"{escape_markdown(info.title)}{where}{hand}"
    if info.availability_error is not None:
        st.caption(f":material/block: {label}: {safe_markdown(info.availability_error)}")
        return
    name, is_on = f"tool-{current_conversation().conversation_id}-{info.name}", info.name in on
    key = bind(name, is_on)
    switch = partial(_switch, store, info.name, project)
    st.toggle(
        label, is_on, key=key, help=safe_markdown(info.description), on_change=accept_change, args=(name, key, switch)
    )
    if grant in GRANTS:
        st.caption(f"{escape_markdown(info.name)} {GRANTS[grant]}.")


def _switch(store: Store, name: str, project: Project | None, chosen: bool) -> None:
    """Switch a tool on or off, whatever was switched since the menu was drawn; the project's stay as they are."""
    current = current_conversation()
    try:
        saved = effective(store.get(current.conversation_id) if current.conversation_id else None, project).tools
    except NotFoundError as error:
        defer_error(str(error))
        return
    others = [other for other in saved if other != name]
    on = [*others, name] if chosen else others
    _update(store, tools=on if on or project is not None else None)


def _update(store: Store, **fields: object) -> None:
    try:
        update_conversation(store, **fields)
    except NotFoundError as error:
        defer_error(str(error))
