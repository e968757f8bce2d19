"""News of what other tabs and other processes did to what this tab shows: the browser hears of it and runs the script.

Knows versions; draws nothing that is seen.
"""

from typing import Any

import streamlit as st

from conversations.store import Conversation, Store, versions
from page.session import stream

component = st.components.v2.component(
    "news",
    html="<span hidden></span>",
    js="export default async (own) => (await import(new URL(own.data.script, document.baseURI))).news(own);",
)


def listing_version(store: Store) -> str:
    """The version of the owner's list of conversations; asked for before the list is read."""
    return versions.listing_versions(store.database, [store.owner])[store.owner]


def draw(stream_data: dict[str, Any], drawn: Conversation | None, listing: str) -> None:
    """Have this tab run again when the conversation or the list are others than those drawn."""
    known = {"l": listing}
    if drawn is not None:
        known[f"c:{drawn.id}"] = versions.version_of(drawn)
    component(
        key="news",
        data={"drawn": tuple(known.items()), **stream_data},  # no dict: Streamlit would import pandas for it
        on_changed_change=_run,
        on_failed_change=stream.give_up,
    )


def _run() -> None:
    """Nothing but the run itself."""
