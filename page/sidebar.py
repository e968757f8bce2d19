"""The sidebar: which backend and model, how it samples, a new chat, and how full the window is."""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import backends
from backends import Choice, Status
from conversations.conversation import Conversation, totals
from prompts.system import system_prompt
from settings import Settings


@dataclass
class Chosen:
    """What the next message is sent with."""

    backend: str | None
    problem: str | None
    system: str
    options: dict[str, Any] = field(default_factory=dict)


def draw(settings: Settings, choice: Choice, conversation: Conversation) -> Chosen:
    """Draw it and return what is chosen."""
    with st.sidebar:
        st.button("New chat", icon=":material/add:", on_click=forget, width="stretch")
        with st.container():  # of its own, so that what it shows never moves the open settings below
            status = pick(backends.status(settings), choice)
        chosen = Chosen(status.name if status else None, status.problem if status else choice.reason, "")
        with st.container():
            model(chosen)
        with st.expander("Settings", icon=":material/tune:"):
            chosen.system = st.text_area("System prompt", system_prompt(settings.system_prompt), key="system")
            chosen.options.update(knobs(settings))
        meter(conversation)
    return chosen


def forget() -> None:
    """Leave this conversation; the next message starts another."""
    st.query_params.pop("c", None)
    st.session_state.pop("conversation", None)


def pick(found: list[Status], choice: Choice) -> Status | None:
    """The backend picker; those that are not ready say why."""
    by_name = {status.name: status for status in found}
    chosen = st.selectbox(
        "Backend", list(by_name), index=list(by_name).index(choice.name) if choice.name in by_name else None,
        format_func=lambda name: name if by_name[name].problem is None else f"{name} (not ready)",
        placeholder="none is ready", key="backend",
    )  # fmt: skip
    if choice.name:
        st.caption(f"At start: {choice.name}. {choice.reason}.")
    for status in found:
        if status.problem:
            st.caption(f":material/block: {status.name}: {status.problem}")
    return by_name.get(chosen) if chosen else None


def model(chosen: Chosen) -> None:
    """The model's name; a server's can be changed for this conversation."""
    loaded = backends.loaded(chosen.backend) if chosen.backend else None
    if loaded is None or getattr(loaded, "engine", None) is not None:
        engine = getattr(loaded, "engine", None)
        if loaded is not None and engine is not None:
            st.caption(f"Model: {getattr(loaded, 'model_name', '')}")
            st.caption(f"Chat template: {engine.template_origin}")
        return
    named = st.text_input("Model", placeholder=getattr(loaded, "model_name", "") or "the server's first", key="model")
    if named.strip():
        chosen.options["model"] = named.strip()


def knobs(settings: Settings) -> dict[str, Any]:
    """Sampling knobs; only those that somebody moved are sent."""
    st.slider("Temperature", 0.0, 2.0, settings.temperature or 0.7, 0.05, key="temperature", **moved("temperature"))
    st.slider("Top-p", 0.05, 1.0, settings.top_p or 0.9, 0.05, key="top_p", **moved("top_p"))
    st.slider("Top-k", 0, 200, settings.top_k or 50, 1, key="top_k", **moved("top_k"))
    st.slider(
        "Longest reply (tokens)", 16, 4096, settings.max_tokens or 256, 16, key="max_tokens", **moved("max_tokens")
    )
    touched = st.session_state.setdefault("moved", set())
    return {name: st.session_state[name] for name in sorted(touched)}


def moved(name: str) -> dict[str, Any]:
    """A callback that notes that a knob was moved."""
    return {"on_change": lambda: st.session_state.setdefault("moved", set()).add(name)}


def meter(conversation: Conversation) -> None:
    """Tokens used of the window."""
    known = totals(conversation)
    about = "about " if known["estimated"] else ""
    if known["window"]:
        share = min(1.0, known["used"] / known["window"])
        st.progress(share, text=f"Context: {about}{known['used']:,} of {known['window']:,} tokens")
    elif known["used"]:
        st.caption(f"Context: {about}{known['used']:,} tokens; the window of this model is not known")
