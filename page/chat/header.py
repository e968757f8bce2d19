"""Above the conversation: which backend and model answer, as whom, and how they sample."""

from typing import Any

import streamlit as st

import backends
from backends import Status
from conversations.replies.compaction import disabled_reason
from conversations.replies.preload import available_models, is_fetching
from conversations.store.schema import Conversation
from conversations.store.store import NotFoundError, Store
from conversations.store.text import clean
from page.chat import menu, personas, sampling
from page.session.context import PageContext
from page.session.current import current_conversation, update_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown, safe_markdown
from page.session.selection import Selection
from prompts.system import system_prompt


def draw(found: PageContext, conversation: Conversation | None) -> Selection:
    """Draw it and return what is chosen."""
    statuses = backends.status(found.settings)
    with st.container(key="header", horizontal=True, vertical_alignment="center", gap="small"):
        chosen = pick(statuses, found)
        chosen.ready_backends = [each.name for each in statuses if each.problem is None]
        chosen.no_summary_reason = disabled_reason(found.settings, chosen.backend) if chosen.backend else None
        model(chosen, found)
        personas.draw(found.store, conversation)
        with st.popover("Settings", icon=":material/tune:", key="settings"):
            chosen.options.update(sampling.draw(backends.sampling_defaults(chosen.backend, found.settings)))
            system(found, conversation)
            readiness(found, statuses, chosen)
        menu.draw(found.store, conversation)
    if chosen.backend and not chosen.problem and is_fetching(chosen.backend):
        until_loaded(chosen.backend)
    return chosen


@st.fragment(run_every=0.5)
def until_loaded(name: str) -> None:
    """Draws the page anew when what is fetched in the background has come."""
    if not is_fetching(name):
        st.rerun()


def pick(statuses: list[Status], found: PageContext) -> Selection:
    """The backend picker, and why what is picked cannot answer."""
    by_name = {status.name: status for status in statuses}
    picked = st.selectbox(
        "Backend",
        list(by_name),
        list(by_name).index(found.choice.name) if found.choice.name in by_name else None,
        format_func=lambda name: name if by_name[name].problem is None else f"{name} (not ready)",
        placeholder="none is ready",
        key="backend",
        persist_state="session",
        label_visibility="collapsed",
        width=160,
    )
    status = by_name.get(picked) if picked else None
    return Selection(status.name if status else None, status.problem if status else found.choice.reason)


def model(chosen: Selection, found: PageContext) -> None:
    """Where a server offers several models, one can be picked, or typed."""
    names = available_models(chosen.backend, found.settings) if chosen.backend and not chosen.problem else None
    if names is None:
        return
    hint = named(chosen.backend) or "the server's first"
    picked = st.selectbox(
        "Model",
        names,
        None,
        placeholder=hint,
        accept_new_options=True,
        key="model",
        persist_state="session",
        label_visibility="collapsed",
        width=200,
    )
    if picked:
        chosen.options["model"] = picked


def named(backend: str | None) -> str:
    """The name of a loaded model, as far as it has one."""
    return getattr(backends.loaded_model(backend or ""), "model_name", "") or ""


def system(found: PageContext, conversation: Conversation | None) -> None:
    """The system prompt of this conversation; a persona has its own."""
    fields: dict[str, Any] = current_conversation().new_fields
    if conversation.persona if conversation else fields.get("persona"):
        st.caption("The persona's sentences are the system prompt.")
        return
    usual = system_prompt(found.settings.system_prompt)
    own = conversation.system if conversation else fields.get("system")
    key = f"system-{current_conversation().conversation_id}"
    st.text_area(
        "System prompt",
        usual if own is None else own,
        key=key,
        on_change=_system,
        args=(found.store, key, usual),
        max_chars=20_000,
    )


def _system(store: Store, key: str, usual: str) -> None:
    typed = clean(st.session_state[key] or "")
    try:
        update_conversation(store, system=None if typed == usual else typed)
    except NotFoundError as error:
        defer_error(str(error))


def readiness(found: PageContext, statuses: list[Status], chosen: Selection) -> None:
    """What answers and why, and what the others miss."""
    if found.choice.name:
        st.caption(escape_markdown(f"At start: {found.choice.name}. {found.choice.reason}."))
    if named(chosen.backend):
        st.caption(escape_markdown(f"Model: {named(chosen.backend)}"))
    origin = getattr(getattr(backends.loaded_model(chosen.backend or ""), "engine", None), "template_origin", None)
    if origin:
        st.caption(escape_markdown(f"Chat template: {origin}"))
    if chosen.no_summary_reason:
        st.caption(escape_markdown(chosen.no_summary_reason))
    for status in statuses:
        if status.problem:
            st.caption(f":material/block: {status.name}: {safe_markdown(status.problem)}")
