"""What an empty chat shows: what answers, plainly, and three things to try."""

from collections.abc import Callable

import streamlit as st

import backends

SMALL_TALK = ("Hi, how are you?", "Do you have any pets?", "Tell me a joke")
LARGE = ("How do language models work?", "Plan a weekend in Lisbon", "Write a limerick about rain")
NOTICE = (
    "This is a **small demonstration model** that ships with the page. It can hold simple small talk "
    "and is often wrong. For real answers set `OPENAI_API_KEY`, point `OPENAI_BASE_URL` at a server, or name your own "
    "GGUF file in `LLAMACPP_MODEL`; the README shows how."
)


def draw(backend: str | None, post: Callable[[str], None]) -> None:
    """A suggestion that is pressed is posted like a message."""
    small = backend is not None and ":" not in backend and backends.shipped(backend)
    if small:
        st.info(NOTICE, icon=":material/info:")
    for column, text in zip(st.columns(3), SMALL_TALK if small else LARGE, strict=True):
        column.button(text, width="stretch", on_click=post, args=(text,))
