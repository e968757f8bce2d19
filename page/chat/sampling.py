"""The sampling knobs: they show what holds, and only those that somebody moved are sent."""

from typing import Any

import streamlit as st

SERVER_DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 1024}  # shown where a server decides


def draw(defaults: dict[str, float | int]) -> dict[str, Any]:
    """`known` is what holds without them; returns what was moved."""
    moved: set[str] = st.session_state.setdefault("moved", set())
    for name, value in {**SERVER_DEFAULTS, **defaults}.items():
        if name in SERVER_DEFAULTS and (name not in moved or name not in st.session_state):
            st.session_state[name] = value
            moved.discard(name)
    _draw_slider("Temperature", "temperature", 0.0, 2.0, 0.05)
    _draw_slider("Top-p", "top_p", 0.05, 1.0, 0.05)
    _draw_slider("Top-k (0: all)", "top_k", 0, 200, 1)
    _draw_slider("Longest reply (tokens)", "max_tokens", 1, 4096, 1)
    st.button("Reset", help="Send none of these", on_click=moved.clear, disabled=not moved)
    return {name: st.session_state[name] for name in sorted(moved)}


def _draw_slider(label: str, name: str, low: float, high: float, step: float) -> None:
    """A knob that notes when it is moved; its ends give way to a value set in the environment."""
    value = st.session_state[name]
    ends = min(low, value), max(high, value)
    moved = st.session_state["moved"]
    st.slider(label, *ends, step=step, key=name, persist_state="session", on_change=lambda: moved.add(name))
