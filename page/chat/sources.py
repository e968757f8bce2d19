"""Passages of documents as people see them: place and exact words, and where on a scan. Knows not how they are found.

The words and names of a document are data: drawn as text, or as labels in which every character stands for itself.
"""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from blocks.markers import source_key
from conversations.store import Store
from documents.alignment import mark, used_numbers
from documents.marker import OURS
from documents.source import Source
from page.chat import region
from page.session.markdown import escape_markdown

MAX_LABEL_PLACES = 3  # places in the label; the others are counted
OURS_NOTE = f"{OURS} before a number: the model named no source; this page found the words of the sentence there."
links = st.components.v2.component(
    "source_links",
    html="<span hidden></span>",
    js=Path(__file__).with_name("sources.js").read_text(encoding="utf-8"),
)


def draw(store: Store, sources: Sequence[Source], message_id: int, text: str, question: str) -> None:
    """Draw the passages that a reply was made from, folded up: first those that it names."""
    if not sources:
        return
    markers = mark(text, tuple(sources), question)
    by_number = {source.number: source for source in sources}
    used = [by_number[number] for number in used_numbers(markers)]
    others = [source for source in sources if source not in used]
    with _unfoldable(used or others, message_id):
        if any(marker.is_ours for marker in markers):
            st.caption(OURS_NOTE)
        _draw_linked(store, used, message_id)
        if used and others:
            st.caption("Also given to the model:")
        _draw_linked(store, others, message_id)
    _draw_links(sources, message_id)


def draw_growing(store: Store, sources: Sequence[Source], message_id: int) -> None:
    """Draw the passages that a growing reply was given, folded up."""
    if sources:
        with _unfoldable(sources, message_id):
            _draw_linked(store, sources, message_id)
        _draw_links(sources, message_id)


def _unfoldable(sources: Sequence[Source], message_id: int) -> DeltaGenerator:
    """What their passages are drawn in: unfolded while the reply grows, it stays so at its end, by its key."""
    label = escape_markdown(_label(sources))
    return st.expander(label, icon=":material/format_quote:", key=f"sources-{message_id}")


def _draw_links(sources: Sequence[Source], message_id: int) -> None:
    """Draw nothing: what opens a passage when its marker is pressed, and names the markers for screen readers."""
    names = {source_key(message_id, source.number): f"Source {source.number}: {source.location}" for source in sources}
    links(key=f"links-{message_id}", data={"names": tuple(names.items()), "ours": OURS})


def _label(sources: Sequence[Source]) -> str:
    """The heading of the passages: files and pages, each once."""
    places = list(dict.fromkeys(each.location for each in sources))
    more = [f"{len(places) - MAX_LABEL_PLACES} more"] if len(places) > MAX_LABEL_PLACES else []
    return f"Sources: {' · '.join([*places[:MAX_LABEL_PLACES], *more])}"


def _draw_linked(store: Store, sources: Sequence[Source], message_id: int) -> None:
    """Draw passages that markers lead to."""
    for each in sources:
        with st.container(key=source_key(message_id, each.number), gap=None):
            _draw_passage(store, each)


def draw_passages(store: Store, sources: Sequence[Source]) -> None:
    """Draw passages that a search found, with their numbers."""
    for each in sources:
        _draw_passage(store, each)


def _draw_passage(store: Store, source: Source) -> None:
    score = f" · score {source.score:.3g}" if source.score else ""
    st.caption(f"**{escape_markdown(f'[{source.number}] {source.location}')}**{score}")
    st.text(source.quote)
    region.draw(store, source)
