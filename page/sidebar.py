"""The sidebar: which backend and model, how it samples, a new chat, and how full the window is."""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import backends
from backends import Choice, Status
from conversations.conversation import Conversation, totals
from conversations.preload import busy, offered
from page.bubble import safe
from prompts.system import system_prompt
from settings import Settings

UNKNOWN = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 1024}  # shown where a server decides


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
            model(chosen, settings)
            if chosen.backend and busy(chosen.backend):
                until_loaded(chosen.backend)
        with st.expander("Settings", icon=":material/tune:"):
            chosen.system = st.text_area("System prompt", system_prompt(settings.system_prompt), key="system")
            chosen.options.update(knobs(backends.sampling(chosen.backend, settings)))
        meter(conversation)
    return chosen


def forget() -> None:
    """Leave this conversation; the next message starts another."""
    st.query_params.pop("c", None)
    st.session_state.pop("conversation", None)


@st.fragment(run_every=0.5)
def until_loaded(name: str) -> None:
    """Draws the page anew when what is fetched in the background has come."""
    if not busy(name):
        st.rerun()


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
            st.caption(f":material/block: {status.name}: {safe(status.problem)}")
    return by_name.get(chosen) if chosen else None


def model(chosen: Chosen, settings: Settings) -> None:
    """The model's name; where a server offers several, one can be picked, or typed."""
    if chosen.backend is None or chosen.problem:
        return
    loaded = backends.loaded(chosen.backend)
    named = getattr(loaded, "model_name", "") or ""
    names = offered(chosen.backend, settings)
    if names is not None:
        hint = named or "the server's first"
        picked = st.selectbox("Model", names, None, placeholder=hint, accept_new_options=True, key="model")
        if picked:
            chosen.options["model"] = picked
    elif named:
        st.caption(f"Model: {named}")
    origin = getattr(getattr(loaded, "engine", None), "template_origin", None)
    if origin:
        st.caption(f"Chat template: {origin}")


def knobs(known: dict[str, float | int]) -> dict[str, Any]:
    """Sampling knobs; only those that somebody moved are sent, the others show what holds without them."""
    touched = st.session_state.setdefault("moved", set())
    for name, value in {**UNKNOWN, **known}.items():
        if name not in touched and name in UNKNOWN:
            st.session_state[name] = value
    slider("Temperature", "temperature", 0.0, 2.0, 0.05)
    slider("Top-p", "top_p", 0.05, 1.0, 0.05)
    slider("Top-k (0: all)", "top_k", 0, 200, 1)
    slider("Longest reply (tokens)", "max_tokens", 1, 4096, 1)
    st.button("Reset", help="Send none of these", on_click=touched.clear, disabled=not touched)
    return {name: st.session_state[name] for name in sorted(touched)}


def slider(label: str, name: str, low: float, high: float, step: float) -> None:
    """A knob that notes when it is moved; its ends give way to a value set in the environment."""
    value = st.session_state[name]
    ends = min(low, value), max(high, value)
    st.slider(label, *ends, step=step, key=name, on_change=lambda: st.session_state["moved"].add(name))


def meter(conversation: Conversation) -> None:
    """Tokens used of the window."""
    known = totals(conversation)
    about = "about " if known["estimated"] else ""
    if known["window"]:
        share = min(1.0, known["used"] / known["window"])
        st.progress(share, text=f"Context: {about}{known['used']:,} of {known['window']:,} tokens")
    elif known["used"]:
        st.caption(f"Context: {about}{known['used']:,} tokens; the window of this model is not known")
