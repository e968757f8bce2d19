"""What pages have in common: a title, how wide they are, and who pays for them. Knows nothing of what they show."""

import logging
from functools import cache
from pathlib import Path

import streamlit as st

from exposure import exposure
from page.session.markdown import plain
from page.session.owner import providers
from settings import Settings

log = logging.getLogger(__name__)
STYLE = Path(__file__).with_name("beside.css")


REMEDY = "Ask for a login ([auth] in .streamlit/secrets.toml), or set HOST=127.0.0.1."


def warn(settings: Settings) -> None:
    """In plain words, where everybody may use the page and its owner pays."""
    text = None if providers() else exposure(settings, settings.host, "this page", REMEDY)
    if text is not None:
        st.warning(plain(text), icon=":material/money_off:")
        _logged(text)


@cache
def _logged(text: str) -> None:
    """Once, not at every run of the script."""
    log.warning("%s", text)


def frame(title: str, wide: bool = False) -> None:
    """Draw the title; what follows uses the whole width where `wide`."""
    if wide:
        st.set_page_config(layout="wide")
    st.html(STYLE)
    with st.container(key="wide" if wide else "narrow"):
        st.title(title, anchor=False)
