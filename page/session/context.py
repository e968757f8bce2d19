"""What every page needs of whoever looks at it: settings, the backend chosen at start, and his own store."""

from dataclasses import dataclass

import streamlit as st
from langchain_core.exceptions import ModelNotFoundError

import backends
from backends import Choice
from conversations.store import store as stores
from conversations.store.database import DatabaseError
from conversations.store.store import Store
from documents.settings import Limits
from page.chat import message
from page.session.owner import Owner, owner
from settings import Settings, SettingsError


@dataclass(frozen=True)
class Visit:
    """`owner.lasting` is False where the conversations cannot be found again after closing."""

    settings: Settings
    choice: Choice
    owner: Owner
    store: Store
    limits: Limits  # of documents


def visit() -> Visit:
    """Read them; what is wrong is shown, and the page ends there."""
    try:
        settings = backends.read()
        choice = backends.choose(settings)
        whose = owner(settings)
        return Visit(settings, choice, whose, stores.store(settings, whose.name), Limits.read())
    except (SettingsError, ModelNotFoundError, DatabaseError) as error:
        message.failure(str(error))
        st.stop()
