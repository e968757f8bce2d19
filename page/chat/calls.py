"""Calls of tools in a reply as people see them: folded with arguments, result and time, and a card for each that waits.

What a call holds is data: it is drawn as code or text, never as markup. Knows rows; not how a call is carried out.
"""

import json
from collections.abc import Sequence
from functools import partial

import streamlit as st

from conversations.store import CallStatus, Decision, ToolCall, format_count
from page.session.actions import enqueue
from page.session.markdown import escape_markdown
from tools import OWN

ICONS = {
    CallStatus.WAITING: ":material/front_hand:",
    CallStatus.APPROVED: ":material/hourglass_top:",
    CallStatus.RUNNING: ":material/hourglass_top:",
    CallStatus.DONE: ":material/check:",
    CallStatus.FAILED: ":material/error:",
    CallStatus.DENIED: ":material/block:",
    CallStatus.EXPIRED: ":material/timer_off:",
    CallStatus.CANCELLED: ":material/cancel:",
}
CHOICES = {Decision.ONCE: "Once", Decision.ALWAYS: "Always in this chat", Decision.NEVER: "Never in this chat"}
STRANGERS = "Words of strangers stand in this conversation, so “always” asks again. What came last, from {}:"


def draw(calls: Sequence[ToolCall]) -> None:
    """Draw the calls of a reply that are over, or run, folded up."""
    begun = [call for call in calls if not call.waiting]
    if not begun:
        return
    names = ", ".join(dict.fromkeys(call.name for call in begun))
    with st.expander(escape_markdown(f"{format_count(len(begun), 'call')}: {names}"), icon=":material/build:"):
        for call in begun:
            _draw_call(call)


def draw_cards(calls: Sequence[ToolCall]) -> None:
    """Draw what the person is asked, a card for each call that waits."""
    for call in calls:
        if call.waiting:
            _draw_card(call)


def _draw_call(call: ToolCall) -> None:
    seconds = "" if call.seconds is None else f", {call.seconds:.2f} s"
    by = f", {call.decided_by}" if call.decided_by else ""
    status = CallStatus(call.status)
    st.caption(f"{ICONS[status]} **{escape_markdown(_title(call))}** {escape_markdown(f'{status}{by}{seconds}')}")
    st.code(written_arguments(call), language="json", wrap_lines=True)
    if call.result:
        st.text(call.result)


def _draw_card(call: ToolCall) -> None:
    """Draw what would be called, with what, and the three answers."""
    with st.container(key=f"call-{call.id}", border=True):
        st.markdown(f":material/front_hand: **{escape_markdown(_title(call))}** wants to be called with")
        st.code(written_arguments(call), language="json", wrap_lines=True)
        if call.passage:
            st.caption(escape_markdown(STRANGERS.format(call.passage.get("source"))))
            st.code(str(call.passage.get("text")), language=None, wrap_lines=True)
        with st.container(horizontal=True):
            for decision, label in CHOICES.items():
                act = partial(enqueue, "answer", call_id=call.id, decision=decision)
                st.button(label, key=f"{decision}-{call.id}", on_click=act)


def _title(call: ToolCall) -> str:
    return call.name if call.origin in {"", OWN} else f"{call.name} ({call.origin})"


def written_arguments(call: ToolCall) -> str:
    """The arguments as JSON on lines, or as the model wrote what is none."""
    try:
        return json.dumps(json.loads(call.arguments), indent=2, ensure_ascii=False)
    except ValueError:
        return call.arguments
