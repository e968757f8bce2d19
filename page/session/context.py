"""What every page begins with: settings, default backend, owner and store, and a title. Knows no part of a page."""

import logging
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from langchain_core.exceptions import ModelNotFoundError

import backends
from backends import BackendChoice
from conversations.store import DatabaseError, Store, open_store
from documents.settings import DocumentSettings
from exposure import exposure_warning
from page.session.current import current_conversation
from page.session.error import draw_error
from page.session.markdown import escape_markdown
from page.session.owner import Owner, identify_owner, login_providers
from page.session.stream import stream_data
from settings import Settings, SettingsError

log = logging.getLogger(__name__)
STYLE = Path(__file__).with_name("frame.css")
LOGIN_REMEDY = "Ask for a login ([auth] in .streamlit/secrets.toml), or set HOST=127.0.0.1."


@dataclass(frozen=True)
class PageContext:
    """Who looks at the page and what answers by default.

    `store` holds the shown conversation, and is `kept` but for a temporary chat; `kept` are the owner's conversations,
    and his alone.
    """

    settings: Settings
    choice: BackendChoice
    owner: Owner
    store: Store
    kept: Store
    limits: DocumentSettings  # of documents
    stream: dict[str, Any] | None = None  # what a component needs to follow what changes; None: the page looks again


def load_context() -> PageContext:
    """The context of this run; where a setting or the database is wrong that is drawn, and the page ends there."""
    try:
        settings = backends.read_settings()
        choice = backends.choose(settings)
        owner = identify_owner(settings)
        store, followed = open_store(settings, owner.name), stream_data(settings, owner.name)
        return PageContext(settings, choice, owner, store, store, DocumentSettings.read(), followed)
    except (SettingsError, ModelNotFoundError, DatabaseError) as error:
        draw_error(str(error))
        st.stop()


def in_chat(context: PageContext) -> PageContext:
    """The context for what belongs to the open conversation; a temporary one is looked at again and again."""
    temporary = current_conversation().temporary
    return context if temporary is None else replace(context, store=temporary, stream=None)


def draw_title(title: str, wide: bool = False) -> None:
    """Draw the title; what follows uses the whole width where `wide`."""
    if wide:
        st.set_page_config(layout="wide")
    st.html(STYLE)
    with st.container(key="wide" if wide else "narrow"):
        st.title(title, anchor=False)


def warn_if_exposed(settings: Settings) -> None:
    """Draw a warning where everybody may use the page and its owner pays; logged once a process."""
    text = None if login_providers() else exposure_warning(settings, settings.host, "this page", LOGIN_REMEDY)
    if text is not None:
        st.warning(escape_markdown(text), icon=":material/money_off:")
        _log_once(text)


@cache
def _log_once(text: str) -> None:
    log.warning("%s", text)
