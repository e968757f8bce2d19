"""What an empty chat shows: what answers, plainly, and three things to try."""

import streamlit as st

import backends

SMALL_TALK = ("Hi, how are you?", "Do you have any pets?", "Tell me a joke")
LARGE = ("Explain how a language model writes text", "Plan a weekend in Lisbon", "Write a limerick about rain")
NOTICE = (
    "This is a **small demonstration model** that ships with the page. It can hold simple small talk "
    "and is often wrong. For real answers set `OPENAI_API_KEY`, point `OPENAI_BASE_URL` at a server, or name your own "
    "GGUF file in `LLAMACPP_MODEL`; the README shows how."
)


def draw(backend: str | None) -> str | None:
    """Returns a suggestion that was pressed."""
    small = backend is not None and ":" not in backend and backends.shipped(backend)
    if small:
        st.info(NOTICE, icon=":material/info:")
    pressed = None
    for column, text in zip(st.columns(3), SMALL_TALK if small else LARGE, strict=True):
        if column.button(text, width="stretch"):
            pressed = text
    return pressed
