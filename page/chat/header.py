"""Above the conversation: which backend and model answer, as whom, and how they sample."""

from functools import partial

import streamlit as st

import backends
from backends import BackendStatus
from conversations.replies import available_models, disabled_reason, is_fetching
from conversations.store import Conversation, NotFoundError, Project, Store, clean
from page.chat import installation, local_models, menu, personas, sampling, thinking, tools
from page.session.binding import accept_change, bind
from page.session.context import PageContext
from page.session.current import current_conversation, update_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown, safe_markdown
from page.session.picked import Picked, pick, read_picked
from page.session.project import effective, own_choice
from page.session.selection import Selection
from prompts.system import system_prompt


def draw(context: PageContext, conversation: Conversation | None, project: Project | None) -> Selection:
    """Draw the pickers; the selection they make."""
    statuses = backends.status(context.settings)
    with st.container(key="header", horizontal=True, vertical_alignment="center", gap="small"):
        picked = read_picked(conversation, project)
        selection = pick_backend(statuses, context, picked, context.store)
        selection.ready_backends = [each.name for each in statuses if each.problem is None]
        selection.no_summary_reason = (
            disabled_reason(context.settings, selection.backend) if selection.backend else None
        )
        pick_model(selection, context, picked, context.store)
        personas.draw(context, conversation, project)
        tools.draw(context.store, conversation, project, context.settings)
        with st.popover("Settings", icon=":material/tune:", key="settings"):
            thinking.draw(context.store, conversation, selection)
            selection.options.update(sampling.draw(backends.sampling_defaults(selection.backend, context.settings)))
            _draw_system_prompt(context, conversation, project)
            _draw_readiness(context, statuses, selection)
        menu.draw(context.store, conversation, is_temporary=context.store != context.kept)
    installation.draw(context)
    if selection.backend and not selection.problem and is_fetching(selection.backend):
        _redraw_when_loaded(selection.backend)
    return selection


@st.fragment(run_every=0.5)
def _redraw_when_loaded(name: str) -> None:
    """Draws the page anew when what is fetched in the background has come, and until then how far it is."""
    if not is_fetching(name):
        st.rerun()
    if fraction := backends.loading_progress(name):
        st.caption(escape_markdown(f"Loading {name}: {fraction:.0%}…"))


def pick_backend(
    statuses: list[BackendStatus], context: PageContext, picked: Picked, store: Store | None = None
) -> Selection:
    """Draw the backend picker, at what was picked; its selection, with the problem of a backend that cannot answer.

    A choice is kept in the open conversation where a store is given.
    """
    by_name = {status.name: status for status in statuses}
    shown = picked.backend_file if picked.backend_file in by_name else context.choice.name
    key = bind("backend", shown)
    name = st.selectbox(
        "Backend",
        list(by_name),
        list(by_name).index(shown) if shown in by_name else None,
        format_func=lambda name: name if by_name[name].problem is None else f"{name} (not ready)",
        placeholder="none is ready",
        key=key,
        on_change=accept_change,
        args=("backend", key, lambda chosen: pick(store, Picked(chosen))),
        label_visibility="collapsed",
        width=136,
    )
    status = by_name.get(name) if name else None
    return Selection(status.name if status else None, status.problem if status else context.choice.reason)


def pick_model(selection: Selection, context: PageContext, picked: Picked, store: Store | None = None) -> None:
    """Draw the model picker where a backend has models to choose from: on this machine, or on its server."""
    if selection.backend in backends.LOCAL:
        local_models.draw(selection, context, picked, store)
    else:
        _pick_served_model(selection, context, picked, store)


def _pick_served_model(selection: Selection, context: PageContext, picked: Picked, store: Store | None) -> None:
    """Draw the picker of a server's models; another name can be typed."""
    names = (
        available_models(selection.backend, context.settings) if selection.backend and not selection.problem else None
    )
    if names is None:
        return
    backend, hint = selection.backend, _model_name(selection.backend) or "the server's first"
    shown = picked.model if picked.backend in (None, backend) else None
    key = bind("model", shown)
    model = st.selectbox(
        "Model",
        names if shown is None or shown in names else [*names, shown],
        None if shown is None else ([*names, shown]).index(shown),
        placeholder=hint,
        accept_new_options=True,
        key=key,
        on_change=accept_change,
        args=("model", key, lambda chosen: pick(store, Picked(backend, chosen))),
        label_visibility="collapsed",
        width=180,
    )
    if model:
        selection.model = model


def _model_name(backend: str | None) -> str:
    """The name of a loaded model; empty where it is not loaded or has none."""
    return getattr(backends.loaded_model(backend or ""), "model_name", "") or ""


def _draw_system_prompt(context: PageContext, conversation: Conversation | None, project: Project | None) -> None:
    """Draw the system prompt of this conversation for editing; a persona brings its own."""
    if effective(conversation, project).persona:
        st.caption("The persona's sentences are the system prompt.")
        return
    default = system_prompt(context.settings.system_prompt)
    if project is not None and project.system is not None:
        default = project.system
    own = own_choice(conversation, "system")
    name, text = f"system-{current_conversation().conversation_id}", default if own is None else own
    key = bind(name, text)
    st.text_area(
        "System prompt",
        text,
        key=key,
        on_change=accept_change,
        args=(name, key, partial(_update_system_prompt, context.store, default)),
        max_chars=20_000,
    )


def _update_system_prompt(store: Store, default: str, text: str | None) -> None:
    entered = clean(text or "")
    try:
        update_conversation(store, system=None if entered == default else entered)
    except NotFoundError as error:
        defer_error(str(error))


def _draw_readiness(context: PageContext, statuses: list[BackendStatus], selection: Selection) -> None:
    """Draw which backend answers and why, and what the others lack."""
    if context.choice.name:
        st.caption(escape_markdown(f"At start: {context.choice.name}. {context.choice.reason}."))
    if _model_name(selection.backend):
        st.caption(escape_markdown(f"Model: {_model_name(selection.backend)}"))
    local_models.draw_memory(context, selection.backend)
    if origin := backends.template_origin(selection.backend or ""):
        st.caption(escape_markdown(f"Chat template: {origin}"))
    if selection.no_summary_reason:
        st.caption(escape_markdown(selection.no_summary_reason))
    for status in statuses:
        if status.problem:
            st.caption(f":material/block: {status.name}: {safe_markdown(status.problem)}")
