"""Which tools a conversation has switched on: a menu of those that there are, and why others cannot be used now.

Knows what tools say of themselves; not how one is called.
"""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from conversations.store import Conversation, NotFoundError, Store
from page.session.binding import accept_change, bind
from page.session.current import current_conversation, update_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown, safe_markdown
from settings import Settings
from tools import OWN, ToolInfo, list_tools

NOTE = "A tool marked :material/front_hand: asks you before each call."
GRANTS = {"always": "runs unasked in this conversation", "never": "is not run in this conversation"}


def draw(store: Store, conversation: Conversation | None, settings: Settings) -> None:
    """Draw the menu; its button says how many are on."""
    on: Sequence[str] = (conversation.tools if conversation else current_conversation().new_fields.get("tools")) or ()
    grants = (conversation.grants if conversation else None) or {}
    with st.popover(f"Tools ({len(on)})" if on else "Tools", icon=":material/build:", key="tools"):
        st.caption(NOTE)
        for info in list_tools(settings):
            _draw_tool(store, info, on, grants.get(info.name))
        if grants:
            st.button(
                "Ask again about all", icon=":material/undo:", on_click=_update, args=(store,), kwargs={"grants": None}
            )


def _draw_tool(store: Store, info: ToolInfo, on: Sequence[str], grant: str | None) -> None:
    """Draw one tool with its switch; one that cannot be used has none, but says why."""
    where = "" if info.origin == OWN else f" · {escape_markdown(info.origin)}"
    hand = " :material/front_hand:" if info.needs_approval else ""
    label = f"{escape_markdown(info.title)}{where}{hand}"
    if info.availability_error is not None:
        st.caption(f":material/block: {label}: {safe_markdown(info.availability_error)}")
        return
    name, is_on = f"tool-{current_conversation().conversation_id}-{info.name}", info.name in on
    key = bind(name, is_on)
    switch = partial(_switch, store, info.name)
    st.toggle(
        label, is_on, key=key, help=safe_markdown(info.description), on_change=accept_change, args=(name, key, switch)
    )
    if grant in GRANTS:
        st.caption(f"{escape_markdown(info.name)} {GRANTS[grant]}.")


def _switch(store: Store, name: str, chosen: bool) -> None:
    """Switch a tool on or off, whatever was switched since the menu was drawn."""
    current = current_conversation()
    try:
        saved = store.get(current.conversation_id).tools if current.conversation_id else current.new_fields.get("tools")
    except NotFoundError as error:
        defer_error(str(error))
        return
    others = [other for other in saved or () if other != name]
    _update(store, tools=[*others, name] if chosen else others or None)


def _update(store: Store, **fields: object) -> None:
    try:
        update_conversation(store, **fields)
    except NotFoundError as error:
        defer_error(str(error))
