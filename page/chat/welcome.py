"""What an empty chat shows: what answers, plainly, and three things to try."""

import streamlit as st

import backends
from page.session.actions import enqueue
from page.session.markdown import escape_markdown, safe_markdown
from prompts.persona import Persona
from settings import Settings

SMALL_TALK = ("Hi, how are you?", "Do you have any pets?", "Tell me a joke")
LARGE_MODEL = ("How do language models work?", "Plan a weekend in Lisbon", "Write a limerick about rain")
SHIPPED_MODEL = ("What is the capital of France?", "Hi, how are you?", "Why is the sky blue?")
LARGER = (
    "For more set `OPENAI_API_KEY`, point `OPENAI_BASE_URL` at a server, or name your own GGUF file in "
    "`LLAMACPP_MODEL`; the README shows how."
)
DEFAULT_MODEL_NOTICE = (
    "This is a **small demonstration model** that ships with the page. It can hold simple small talk "
    "and is often wrong."
)
SHIPPED_MODEL_NOTICE = (
    "This is a **small model** of 135 million parameters that came with the page. It answers simple questions and "
    "reads short passages of your files; it is often wrong."
)


def draw(backend: str | None, persona: Persona | None, settings: Settings) -> None:
    """Draw title, persona and suggestions; one that is pressed is sent like a message."""
    small = backend is not None and backends.is_default_model(backend, settings)
    shipped = backend is not None and backends.is_shipped_model(backend, settings)
    with st.container(key="welcome"):
        st.title("LLM Assistant")
        if persona:
            st.markdown(
                f"You are talking with **{escape_markdown(persona.name)}**: {escape_markdown(persona.description)}"
            )
        suggestions = SMALL_TALK if small else SHIPPED_MODEL if shipped else LARGE_MODEL
        for column, text in zip(st.columns(3), suggestions, strict=True):
            column.button(text, width="stretch", on_click=enqueue, args=("send",), kwargs={"text": text})
        if backend is not None and shipped:
            reason = safe_markdown(backends.model_reason(backend, settings) or backend)
            st.caption(f"{DEFAULT_MODEL_NOTICE if small else SHIPPED_MODEL_NOTICE} {LARGER} (Answering: {reason}.)")
