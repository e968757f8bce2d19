"""While `make run` still installs backends: how far each is, and the page drawn anew when one has come.

Knows which backends are ready; not how they are installed.
"""

import streamlit as st

import backends
from page.session.context import PageContext
from page.session.markdown import escape_markdown

PICKER = "backend"  # the key of header.py's picker


def draw(context: PageContext) -> None:
    """Draw how far what is installed is, and look again each second; nothing where all is done."""
    if backends.installing.is_running():
        _watch(context, _ready(context))


@st.fragment(run_every=1)
def _watch(context: PageContext, ready: frozenset[str]) -> None:
    if _ready(context) != ready or not backends.installing.is_running():
        if st.session_state.get(PICKER) == context.choice.name:  # nobody picked: the best that there is now is taken
            del st.session_state[PICKER]
        st.rerun()
    for name in backends.names():
        if progress := backends.installing.progress(name):
            st.caption(f":material/hourglass_top: {name}: {escape_markdown(progress)}")


def _ready(context: PageContext) -> frozenset[str]:
    return frozenset(name for name, problem in backends.status(context.settings) if problem is None)
