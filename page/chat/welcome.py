"""What an empty chat shows: what answers, plainly, and three things to try."""

import streamlit as st

import backends
from page.session.actions import enqueue
from page.session.markdown import escape_markdown
from prompts.persona import Persona
from settings import Settings

SMALL_TALK = ("Hi, how are you?", "Do you have any pets?", "Tell me a joke")
LARGE_MODEL = ("How do language models work?", "Plan a weekend in Lisbon", "Write a limerick about rain")
DEFAULT_MODEL_NOTICE = (
    "This is a **small demonstration model** that ships with the page. It can hold simple small talk "
    "and is often wrong. For real answers set `OPENAI_API_KEY`, point `OPENAI_BASE_URL` at a server, or name your own "
    "GGUF file in `LLAMACPP_MODEL`; the README shows how."
)


def draw(backend: str | None, persona: Persona | None, settings: Settings) -> None:
    """Draw title, persona and suggestions; one that is pressed is sent like a message."""
    small = backend is not None and backends.is_default_model(backend, settings)
    with st.container(key="welcome"):
        st.title("LLM Assistant")
        if persona:
            st.markdown(
                f"You are talking with **{escape_markdown(persona.name)}**: {escape_markdown(persona.description)}"
            )
        for column, text in zip(st.columns(3), SMALL_TALK if small else LARGE_MODEL, strict=True):
            column.button(text, width="stretch", on_click=enqueue, args=("send",), kwargs={"text": text})
        if small:
            st.caption(DEFAULT_MODEL_NOTICE)
