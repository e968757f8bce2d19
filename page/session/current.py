"""Which conversation this tab shows, and what is unfolded in it. Knows the address and the session; no table.

The address is the truth, but the browser hears of a change a little later: what it sends meanwhile is out of date.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from conversations.store.store import Store

STEP = 50  # messages drawn at first, and added by "Show earlier"
LAG = 3.0  # seconds in which an address that differs is an old one


@dataclass
class Opened:
    """A conversation; without `identity` one that its first message begins, with `fields`."""

    identity: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    shown: int = STEP
    found: int | None = None  # the message that a search led to
    editing: int | None = None
    commenting: int | None = None
    told: float | None = None  # when the browser was told of it


def opened() -> Opened:
    """What is open; called before anything is drawn."""
    mine: Opened = st.session_state.setdefault("opened", Opened())
    wanted = st.query_params.get("c")
    if wanted == mine.identity:
        return mine
    late = mine.told is not None and time.monotonic() - mine.told < LAG
    returned = "message" not in st.session_state and not wanted  # from another page: the input's state went with it
    if late or returned or (mine.identity and mine.told is None):
        _tell(mine)
        return mine
    st.session_state["opened"] = Opened(wanted, told=float("-inf"))
    return current()


def current() -> Opened:
    """The same for whatever runs before or after."""
    mine: Opened = st.session_state.setdefault("opened", Opened())
    return mine


def show(identity: str | None = None, found: int | None = None) -> None:
    """Open another conversation, or a new one."""
    st.session_state["opened"] = made = Opened(identity, found=found)
    _tell(made)


def change(store: Store, **fields: Any) -> None:
    """Set fields of the conversation, or of the one that will begin. Raises NotFoundError."""
    mine = current()
    if mine.identity is None:
        mine.fields.update(fields)
    else:
        store.change(mine.identity, **fields)


def _tell(mine: Opened) -> None:
    """Write it into the address."""
    mine.told = time.monotonic()
    if mine.identity:
        st.query_params["c"] = mine.identity
    else:
        st.query_params.pop("c", None)
