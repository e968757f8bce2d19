"""The open conversation as a file: a format is picked, and the button under it hands the file over. Knows no format."""

import streamlit as st

from conversations import exchange
from conversations.store import Store
from page.session.markdown import safe_markdown

ICONS = {"json": ":material/download:", "pdf": ":material/picture_as_pdf:", "html": ":material/html:"}
DIRECT = ("json", "markdown", "html", "pdf")  # the others stand behind one more press


def draw(store: Store, conversation_id: str) -> None:
    """Draw a button for each format; a file is made when one is pressed."""
    for name in DIRECT:
        _draw_button(store, conversation_id, name)
    with st.expander("For training", icon=":material/model_training:"):
        for name in exchange.FORMATS:
            if name not in DIRECT:
                _draw_button(store, conversation_id, name)


def _draw_button(store: Store, conversation_id: str, name: str) -> None:
    form = exchange.FORMATS[name]
    if form.problem:
        st.caption(f":material/block: {safe_markdown(form.problem)}")
        return
    st.download_button(
        f"Export as {form.label}",
        lambda: _export(store, conversation_id, form),
        f"{conversation_id}{exchange.ending(name)}",
        form.media_type,
        icon=ICONS.get(name, ":material/description:"),
        on_click="ignore",
        width="stretch",
    )


def _export(store: Store, conversation_id: str, form: exchange.FileFormat) -> bytes:
    """The file. Raises NotFoundError, and ExchangeError where what makes it is not installed."""
    return b"".join(form.write([exchange.export_conversation(store, conversation_id)]))
