"""Links to conversations as they stand: made in the chat's menu, listed and revoked in the sidebar, copied by others.

Only where SHARE_LINKS is set, and this server has the route that opens them. Knows links; nothing of what they show.
"""

from datetime import UTC, datetime
from urllib.parse import urljoin

import streamlit as st

from conversations import exchange
from conversations.store import NotFoundError, SharedLink, Store, links
from page.session import stream
from page.session.context import PageContext
from page.session.current import open_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown
from settings import Settings

PARAMETER = "shared"  # of the address that a link's page leads to
DAYS = (1, 7, 30, 90, 365)
NOTE = (
    "Whoever has the link reads this conversation as it is now, without login; what is said later is not shown. No "
    "system prompt, persona, thumb or error is in it."
)


def is_enabled() -> bool:
    """Whether links can be made and opened here."""
    return stream.is_offered() and Settings.read().share_links


def draw(store: Store, conversation_id: str) -> None:
    """Draw what makes a link to the open conversation, and the one that was just made."""
    if not is_enabled():
        return
    longest = Settings.read().share_link_days
    with st.expander("Share a link", icon=":material/link:"):
        st.caption(NOTE)
        branches = st.checkbox("All branches", key=f"share-branches-{conversation_id}")
        documents = st.checkbox(
            "Names and passages of documents, calls of tools, thinking", key=f"share-documents-{conversation_id}"
        )
        offered = [days for days in DAYS if days < longest] + [longest]
        days = st.selectbox("Days", offered, key=f"share-days-{conversation_id}", format_func="{:g}".format)
        st.button(
            "Make a link",
            key=f"share-{conversation_id}",
            on_click=_make,
            args=(store, conversation_id, days, branches, documents),
            width="stretch",
        )
        made = st.session_state.get("made_link")
        if made and made[0] == conversation_id:
            st.code(urljoin(st.context.url or "", made[1]), language=None, wrap_lines=True)
            st.caption("It is shown this once. The sidebar lists and revokes links.")


def _make(store: Store, conversation_id: str, days: float, branches: bool, documents: bool) -> None:
    try:
        _, token = exchange.share(store, conversation_id, days, branches=branches, documents=documents)
    except (NotFoundError, exchange.ExchangeError) as error:
        defer_error(str(error))
        return
    st.session_state["made_link"] = conversation_id, f"shared/{token}"


def draw_links(context: PageContext) -> None:
    """Draw the owner's links, each with its end and what revokes it."""
    found = links.listing(context.kept) if is_enabled() else []
    if not found:
        return
    with st.expander(f"Shared links ({len(found)})", icon=":material/link:"):
        for link in found:
            with st.container(key=f"link-{link.id}", gap="xxsmall"):
                st.button(
                    escape_markdown(link.title) or "Untitled",
                    key=f"open-{link.id}",
                    type="tertiary",
                    on_click=open_conversation,
                    args=(link.conversation_id,),
                )
                st.caption(_describe(link))
                st.button("Revoke", key=f"revoke-{link.id}", on_click=_revoke, args=(context.kept, link.id))


def _describe(link: SharedLink) -> str:
    """What a link shows, and until when."""
    made, end = (f"{datetime.fromtimestamp(each, UTC):%Y-%m-%d %H:%M}" for each in (link.created, link.expires))
    also = [*(["all branches"] if link.branches else []), *(["documents"] if link.documents else [])]
    return f"As of {made}, until {end} UTC{''.join(f', {each}' for each in also)}"


def _revoke(store: Store, link_id: str) -> None:
    st.session_state.pop("made_link", None)
    try:
        links.revoke(store, link_id)
    except NotFoundError:  # it opens nothing, which was the aim
        return


def accept(context: PageContext) -> None:
    """Open a copy of what a link shows, where its page led here; the address loses the token at once."""
    token = st.query_params.get(PARAMETER)
    if token is None:
        return
    del st.query_params[PARAMETER]
    try:
        if not is_enabled():
            raise NotFoundError("This server opens no links to conversations.")
        copy = exchange.copy_shared(context.kept, links.find(context.kept.database, token))
    except (NotFoundError, exchange.ExchangeError) as error:
        defer_error(str(error))
    else:
        open_conversation(copy)
