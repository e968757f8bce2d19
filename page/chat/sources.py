"""Passages of documents as people see them: place and exact words. Knows neither where they are kept nor how found.

The words and names of a document are data: drawn as text, or as labels in which every character stands for itself.
"""

from collections.abc import Sequence

import streamlit as st

from documents.source import Source
from page.session.markdown import escape_markdown

MAX_LABEL_PLACES = 3  # places in the label; the others are counted


def draw(sources: Sequence[Source]) -> None:
    """Draw the passages that a reply was made from, folded up."""
    if sources:
        with st.expander(escape_markdown(_label(sources)), icon=":material/format_quote:"):
            draw_passages(sources)


def _label(sources: Sequence[Source]) -> str:
    """The heading of the passages: files and pages, each once."""
    places = list(dict.fromkeys(each.location for each in sources))
    more = [f"{len(places) - MAX_LABEL_PLACES} more"] if len(places) > MAX_LABEL_PLACES else []
    return f"Sources: {' · '.join([*places[:MAX_LABEL_PLACES], *more])}"


def draw_passages(sources: Sequence[Source]) -> None:
    """Draw the passages, numbered as in the prompt."""
    for number, each in enumerate(sources, 1):
        score = f" · score {each.score:.3g}" if each.score else ""
        st.caption(f"**{escape_markdown(f'[{number}] {each.location}')}**{score}")
        st.text(each.quote)
