"""How full the model's window is, and what no longer fits in it."""

import streamlit as st

from conversations.replies import summary_metrics
from conversations.store import Message, Summary, Thread
from page.session.markdown import escape_markdown


def draw(thread: Thread | None) -> None:
    """Draw below the input how many tokens of the window the newest prompt and reply take."""
    newest = newest_measured(thread)
    if newest is None:
        return
    used = (newest.prompt_tokens or 0) + (newest.completion_tokens or 0)
    about = "about " if newest.estimated else ""
    with st.bottom:
        if newest.window:
            text = f"Context: {about}{used:,} of {newest.window:,} tokens"
            st.progress(min(1.0, used / newest.window), text=text)
        else:
            st.caption(f"Context: {about}{used:,} tokens; the window of this model is not known")


def newest_measured(thread: Thread | None) -> Message | None:
    """The newest reply whose prompt tokens are known; None where there is none."""
    rows = thread.messages if thread else []
    return next((m for m in reversed(rows) if m.role == "assistant" and m.prompt_tokens is not None), None)


def count_outside(thread: Thread) -> int:
    """How many messages from the start of the branch the newest reply did not see."""
    newest = newest_measured(thread)
    return newest.dropped if newest is not None else 0


def draw_edge(dropped: int, summary: Summary | None, no_summary_reason: str | None) -> None:
    """Draw the line between messages outside the model's window and inside it, and the summary that stands for them.

    `no_summary_reason` says why there is none although the settings ask for it.
    """
    number = f"{dropped} earlier message{'s are' if dropped != 1 else ' is'}"
    with st.container(key="edge"):
        st.caption(f":material/visibility_off: {number} outside the model's window")
        if no_summary_reason:
            st.caption(escape_markdown(no_summary_reason))
    if summary is not None and summary.messages:
        with st.expander(f"Summary of the first {summary.messages} messages", icon=":material/summarize:"):
            st.text(summary.text)
            st.caption(escape_markdown(" · ".join(summary_metrics(summary))))
