"""What somebody did in the page and what becomes of it: kept until it is carried out, whatever interrupts the run.

Callbacks post before the script runs; the script delivers as soon as it knows the backend. Knows the verbs of a turn.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from conversations import text, turn
from conversations.answer import Ask
from conversations.store import NotFoundError
from conversations.text import MessageError
from page.opened import Opened, current
from page.visit import Visit

ECHO = 5.0  # seconds within which the same wish can be the same press


@dataclass
class Chosen:
    """What replies are made with; `problem` says why there can be none."""

    backend: str | None
    problem: str | None
    options: dict[str, Any] = field(default_factory=dict)
    ready: list[str] = field(default_factory=list)
    refusal: str | None = None  # why nothing is summed up although the settings ask for it

    def ask(self, found: Visit, backend: str | None) -> Ask:
        """For this backend, or another: the model's name holds for one server only."""
        assert self.backend is not None
        if backend is None or backend == self.backend:
            return Ask(found.settings, self.backend, self.options)
        return Ask(found.settings, backend, {k: v for k, v in self.options.items() if k != "model"})


@dataclass(frozen=True)
class Wish:
    """`verb` is send, edit, regenerate or proceed; all but the first are about the message `number`."""

    verb: str
    place: Opened
    number: int = 0
    text: str = ""
    backend: str | None = None


def post(verb: str, **fields: Any) -> None:
    """Called before the script runs."""
    wish = Wish(verb, current(), **fields)
    if not echo(wish):
        st.session_state.setdefault("outbox", []).append(wish)


def echo(wish: Wish) -> bool:
    """Whether it is the last press over again: one in the moment of a fragment's tick goes out with both."""
    last, at = st.session_state.pop("ticked", (None, 0.0))
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        st.session_state["ticked"] = wish, time.monotonic()
    return bool(wish == last and time.monotonic() - at < ECHO)


def say() -> None:
    """Post what was typed; a message that cannot be sent goes back where it was typed."""
    typed: str = st.session_state["message"]
    try:
        text.message(typed)
    except MessageError as error:
        refuse(str(error))
        st.session_state["message"] = typed
    else:
        post("send", text=typed)


def refuse(why: str) -> None:
    """Shown by the next run."""
    st.session_state["refused"] = why


def refused() -> str | None:
    """Why the last thing could not be done, once."""
    why: str | None = st.session_state.pop("refused", None)
    return why


def deliver(found: Visit, chosen: Chosen) -> bool:
    """Carry everything out; whether there was anything."""
    box: list[Wish] = st.session_state.setdefault("outbox", [])
    if not box or chosen.backend is None or chosen.problem:
        return False
    while box:
        try:
            _carry_out(found, box[0], chosen.ask(found, box[0].backend))
        except (MessageError, NotFoundError) as error:
            refuse(str(error))
        box.pop(0)  # nothing of Streamlit is called before this, so that no rerun comes in between
    return True


def _carry_out(found: Visit, wish: Wish, ask: Ask) -> None:
    """Raises MessageError and NotFoundError."""
    if wish.verb == "send":
        new: Mapping[str, Any] = wish.place.fields
        wish.place.identity = turn.send(found.store, wish.place.identity, wish.text, ask, new).conversation_id
    elif wish.verb == "edit":
        turn.edit(found.store, wish.number, wish.text, ask)
    elif wish.verb == "regenerate":
        turn.regenerate(found.store, wish.number, ask)
    else:
        turn.proceed(found.store, wish.number, ask)
