"""What the pages beside the chat look like: a title, and how wide they are. Knows nothing of what they show."""

from pathlib import Path

import streamlit as st

STYLE = Path(__file__).with_name("beside.css")


def frame(title: str, wide: bool = False) -> None:
    """Draw the title; what follows uses the whole width where `wide`."""
    if wide:
        st.set_page_config(layout="wide")
    st.html(STYLE)
    with st.container(key="wide" if wide else "narrow"):
        st.title(title, anchor=False)
