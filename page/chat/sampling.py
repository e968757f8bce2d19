"""The sampling options: they show what holds, and only those that somebody moved are sent."""

from functools import partial
from typing import Any

import streamlit as st

from page.session.binding import accept_change, bind

SERVER_DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 1024}  # shown where a server decides


def draw(defaults: dict[str, float | int]) -> dict[str, Any]:
    """`known` is what holds without them; returns what was moved."""
    moved: dict[str, float | int] = st.session_state.setdefault("moved", {})
    values = {**SERVER_DEFAULTS, **defaults, **moved}
    _draw_slider("Temperature", "temperature", values, 0.0, 2.0, 0.05)
    _draw_slider("Top-p", "top_p", values, 0.05, 1.0, 0.05)
    _draw_slider("Top-k (0: all)", "top_k", values, 0, 200, 1)
    _draw_slider("Longest reply (tokens)", "max_tokens", values, 1, 4096, 1)
    st.button("Reset", help="Send none of these", on_click=moved.clear, disabled=not moved)
    return dict(sorted(moved.items()))


def _draw_slider(label: str, name: str, values: dict[str, float | int], low: float, high: float, step: float) -> None:
    """Draw a slider whose moves are noted; its ends give way to a value set in the environment."""
    value, moved = values[name], st.session_state["moved"]
    key = bind(name, value)
    st.slider(
        label,
        min(low, value),
        max(high, value),
        value,
        step,
        key=key,
        on_change=accept_change,
        args=(name, key, partial(moved.__setitem__, name)),
    )
