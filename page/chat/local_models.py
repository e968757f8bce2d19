"""The picker of a model on this machine, with what each needs of memory, and took. Knows the catalogue; no engine."""

import streamlit as st

import backends
from backends import Entry, LocalName, models
from conversations.store import Store
from page.session.binding import accept_change, bind
from page.session.context import PageContext
from page.session.markdown import escape_markdown
from page.session.picked import Picked, pick
from page.session.selection import Selection

USUAL = ""  # the model that the settings name


def draw(selection: Selection, context: PageContext, picked: Picked, store: Store | None) -> None:
    """Draw the picker where there is more than one; the selection is of the model picked."""
    backend = selection.backend
    assert backend is not None
    entries = {entry.name: entry for entry in backends.chat_models(context.settings, backend)}
    shown = picked.local.model if picked.local and picked.local.backend == backend else USUAL
    names = [USUAL, *entries, *([] if shown in (USUAL, *entries) else [shown])]
    if len(names) == 1 and shown == USUAL:
        return
    key = bind(f"{backend}-model", shown)

    def keep(name: str) -> None:
        pick(store, Picked(str(LocalName(backend, name)) if name else backend))

    name = st.selectbox(
        "Model",
        names,
        names.index(shown),
        format_func=lambda name: _label(name, entries.get(name), context),
        key=key,
        on_change=accept_change,
        args=(f"{backend}-model", key, keep),
        label_visibility="collapsed",
        width=180,
    )
    if name:
        selection.backend = str(LocalName(backend, name))
        selection.problem = backends.availability_error(selection.backend, context.settings)


def _label(name: str, entry: Entry | None, context: PageContext) -> str:
    """A model's name, and what it needs of memory: the same while it lies there, since a browser answers with it."""
    if name == USUAL:
        return "the usual model"
    if entry is None:
        return f"{name} (no longer there)"
    needed = backends.estimate_memory(entry, context.settings)
    return " · ".join([name, *([models.format_bytes(needed.total)] if needed else [])])


def draw_memory(context: PageContext, backend: str | None) -> None:
    """Draw what the model needs by its file, and beside it what it was measured to take."""
    found = backends.resident(backend or "")
    if found is not None and found.held is not None:
        expected = f"Memory: {models.format_bytes(found.estimate)} expected with every chat at its longest"
        measured = "" if found.measured is None else f", {models.format_bytes(found.measured)} measured"
        st.caption(escape_markdown(f"{expected}{measured}"))
    names = [
        f"{each.label} ({models.format_bytes(each.size)})" for each in backends.residents() if each.held is not None
    ]
    if names:
        st.caption(escape_markdown(f"Loaded: {', '.join(names)}"))
