"""What a person picked to answer, in this conversation: it lasts with it, and new chats of this tab begin with it.

A backend by its name, one of its models on this machine as `backend:name`, and of a server one of its models.
Knows the session and the store; draws nothing.
"""

from dataclasses import dataclass

import streamlit as st

from backends import LocalName
from conversations.replies import reload_model
from conversations.store import Conversation, NotFoundError, Project, Store
from page.session.current import current_conversation, update_conversation
from page.session.error import defer_error
from page.session.project import effective


@dataclass(frozen=True)
class Picked:
    """What answers; None where nobody picked, for the usual one."""

    backend: str | None = None
    model: str | None = None

    @property
    def local(self) -> LocalName | None:
        """The model of this machine that was picked, with its backend."""
        return LocalName.parse(self.backend) if self.backend else None

    @property
    def backend_file(self) -> str | None:
        """The backend, without a model of this machine."""
        return self.local.backend if self.local else self.backend


def read_picked(conversation: Conversation | None, project: Project | None = None) -> Picked:
    """What was picked in this conversation, else what its project names; in a new one in none, last in this tab."""
    fields = current_conversation().new_fields
    if conversation is not None or project is not None:
        found = effective(conversation, project)
        return Picked(found.backend, found.model)
    last: Picked = st.session_state.get("picked", Picked())
    if last.backend:
        fields.setdefault("backend", last.backend)
        fields.setdefault("model", last.model)
    return last


def pick(store: Store | None, picked: Picked) -> None:
    """Keep a choice: in the open conversation, where there is a store, and for the next chats of this tab."""
    st.session_state["picked"] = picked
    if picked.backend:
        reload_model(picked.backend)
    if store is None:
        return
    try:
        update_conversation(store, backend=picked.backend, model=picked.model)
    except NotFoundError as error:
        defer_error(str(error))
