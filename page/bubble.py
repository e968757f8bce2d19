"""One turn as two bubbles: what was asked and the reply, while it grows and after."""

import re

import streamlit as st
from markdown_it import MarkdownIt

from conversations.conversation import Turn
from conversations.reply import Reply, State

TICK = 0.06  # seconds between two looks at a growing reply
IMAGE = re.compile(r"!(?=\[)")
BROKEN = "!\u2060"  # an invisible joiner: what follows is a link, which nobody fetches unasked
OTHER_FENCES = re.compile(r"\$\$|:::|\[\^|\r")  # Streamlit's own blocks, which may end where CommonMark sees code go on
MARKDOWN = MarkdownIt("commonmark")


def draw(turn: Turn, position: int) -> None:
    """Both bubbles; a running reply is tailed until it ends."""
    with st.chat_message("user"):
        st.text(turn.text)
    with st.chat_message("assistant"):
        if turn.reply.running:
            tail(turn.reply, position)
        else:
            whole(turn.reply)


@st.fragment(run_every=TICK)
def tail(reply: Reply, position: int) -> None:
    """Look again every tick. The stop button lives here, so that no other widget shares its fate."""
    if not reply.running:
        st.rerun()
    if reply.text:
        st.markdown(safe(reply.text) + " ▌")
    else:
        st.caption(safe(waiting(reply)))
    st.button("Stop", key=f"stop-{position}", icon=":material/stop_circle:", on_click=reply.stop)


def waiting(reply: Reply) -> str:
    """What a reply without text is waiting for."""
    if reply.state is State.WAITING:
        return "Waiting for the reply before this one…"
    if reply.report.queue_position:
        return f"{reply.report.queue_position} before you…"
    if reply.report.retries:
        return f"Trying again: {reply.report.retries[-1]}"
    return "Loading the model…" if reply.report.backend is None else "Thinking…"


def whole(reply: Reply) -> None:
    """A reply that has ended: text, failure, and the figures beside it."""
    if reply.text:
        st.markdown(safe(reply.text))
    if reply.error:
        failure(reply.error)
    if reply.state is State.STOPPED:
        st.caption("Stopped.")
    if reply.report.dropped_turns:
        st.caption(f"{reply.report.dropped_turns} earlier turns are outside the model's window.")
    st.caption(figures(reply))


def failure(text: str) -> None:
    """Cause and remedy, one to a line."""
    st.error(safe(text).replace("\n", "  \n"), icon=":material/error:")


def figures(reply: Reply) -> str:
    """Backend, tokens, time to the first token and speed, in one line."""
    report = reply.report
    parts = [report.backend or ""]
    if report.completion_tokens is not None:
        about = "" if report.counted else "about "
        parts.append(f"{about}{report.completion_tokens} token{'s' if report.completion_tokens != 1 else ''}")
    if report.ttft_ms is not None:
        parts.append(f"first after {report.ttft_ms / 1000:.2f} s")
    if report.tokens_per_second is not None:
        parts.append(f"{report.tokens_per_second:.0f} tokens/s")
    if report.stop_reason == "length":
        parts.append("cut at the longest reply allowed")
    if report.retries:
        parts.append(f"after {len(report.retries)} failed tries")
    return " · ".join(part for part in parts if part)


def safe(text: str) -> str:
    """Markdown that makes the browser fetch nothing: no image is left, code blocks stay as they are."""
    exempt: set[int] = set()
    if not OTHER_FENCES.search(text):
        for token in MARKDOWN.parse(text):
            if token.type == "fence" and token.level == 0 and token.map:
                exempt.update(range(*token.map))
    lines = text.replace("\x00", "\ufffd").split("\n")
    return "\n".join(line if n in exempt else IMAGE.sub(BROKEN, line) for n, line in enumerate(lines))
