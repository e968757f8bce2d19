"""Passages of documents as people see them: place and exact words. Knows neither where they are kept nor how found.

The words and names of a document are data: drawn as text, or as labels in which every character stands for itself.
"""

from collections.abc import Sequence

import streamlit as st

from conversations.store.citations import Source
from page.session.markdown import escape_markdown

NAMED = 3  # places in the label; the others are counted


def draw(found: Sequence[Source]) -> None:
    """What a reply was made from, folded up under it."""
    if found:
        with st.expander(escape_markdown(label(found)), icon=":material/format_quote:"):
            passages(found)


def label(found: Sequence[Source]) -> str:
    """Files and pages, each once."""
    places = list(dict.fromkeys(each.place for each in found))
    more = [f"{len(places) - NAMED} more"] if len(places) > NAMED else []
    return f"Sources: {' · '.join([*places[:NAMED], *more])}"


def passages(found: Sequence[Source]) -> None:
    """All of them, numbered as the model was told."""
    for number, each in enumerate(found, 1):
        score = f" · score {each.score:.3g}" if each.score else ""
        st.caption(f"**{escape_markdown(f'[{number}] {each.place}')}**{score}")
        st.text(each.quote)
