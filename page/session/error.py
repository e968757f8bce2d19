"""Errors for a person: drawn at once, or kept by a callback for the next run. Knows nothing of what failed."""

import streamlit as st

from page.session.markdown import safe_markdown


def draw_error(text: str) -> None:
    """Draw cause and remedy, one to a line."""
    st.error(safe_markdown(text), icon=":material/error:")


def defer_error(text: str) -> None:
    """Keep an error for the next run of the chat page to draw; a callback draws nothing itself."""
    st.session_state["error"] = text


def pop_error() -> str | None:
    """The error that a callback left, once; None where there is none."""
    text: str | None = st.session_state.pop("error", None)
    return text
