"""A reply as a component of ours: while it grows it follows the event stream, and at its end it is the same element.

Where there is no stream for this tab, it is drawn as it is at each run. A reply that this tab did not see grow is plain
HTML: it is there at once, where components come after all else. Knows what is drawn, and what a component is told; not
how a reply is made. What a component is told are texts and tuples: for a list or a dict Streamlit imports pandas.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from blocks import Blocks
from page.session import stream

FOLDER = Path(__file__).parent
STYLE = FOLDER / "reply.css"
HTML = '<div class="reply" aria-live="polite"></div><div class="reply-actions"></div>'
VARIABLES = tuple(sorted(set(re.findall(r"--st-[a-z-]+", STYLE.read_text(encoding="utf-8")))))  # of the theme
FOLLOWED = "followed_replies"  # in the session: keys of those that it saw grow

component = st.components.v2.component(
    "reply",
    html=HTML,
    js="export default async (own) => (await import(new URL(own.data.script, document.baseURI))).reply(own);",
    isolate_styles=False,  # words are found and copied as those of the page
)
alone = st.components.v2.component(
    "reply_alone",  # brings its script along, which no route of ours serves
    html=HTML,
    js=(FOLDER / "reply.js").read_text(encoding="utf-8") + "\nexport default reply;",
    isolate_styles=False,
)


surroundings = st.components.v2.component(
    "replies",
    html="<span hidden></span>",
    js=(FOLDER / "replies.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def draw_style() -> None:
    """Draw the style of all replies, and what they need beside it, once on a page."""
    st.html(STYLE)
    with st.container(key="replies"):
        surroundings(key="replies-theme", data={"variables": VARIABLES})


def draw(message_id: int, blocks: Blocks, stream_data: dict[str, Any] | None) -> None:
    """Draw a reply that has ended."""
    key = f"reply-{message_id}"
    has_formula = any("<math" in block for block in blocks)  # which Streamlit leaves out of HTML
    if not has_formula and key not in st.session_state.get(FOLLOWED, ()):
        st.html(f'<div class="reply">{"".join(f"<div>{block}</div>" for block in blocks)}</div>')
    elif stream_data is None:
        draw_now(key, blocks)
    else:
        component(key=key, data={"blocks": tuple(blocks), "script": stream_data["script"]})


def _run() -> None:
    """Nothing but the run itself."""


def draw_now(key: str, blocks: Blocks, on_answer: Callable[[], None] = _run, **state: object) -> None:
    """Draw a reply as it is at this run: whether it is `growing`, what it has to `wait` for, whether it is `plain`.

    `answer`: it thinks, and a button beside it calls `on_answer`.
    """
    if state.get("growing"):
        _note_followed(key)
    alone(key=f"{key}-alone", data={"blocks": tuple(blocks), **state}, on_answer_change=on_answer)


def draw_growing(
    key: str,
    topic: str,
    stream_data: dict[str, Any],
    wait: str,
    on_answer: Callable[[], None] = _run,
    **state: object,
) -> None:
    """Draw a reply that grows: the browser follows it, and runs the script once at the end, or for other `sources`.

    While it thinks, where that can be ended, a button calls `on_answer`.
    """
    _note_followed(key)
    component(
        key=key,
        data={"topic": topic, "wait": wait, **state, **stream_data},
        on_ended_change=_run,
        on_sources_change=_run,
        on_failed_change=stream.give_up,
        on_answer_change=on_answer,
    )


def _note_followed(key: str) -> None:
    """Note that this tab sees a reply grow, which stays the element that it is when it ends."""
    st.session_state.setdefault(FOLLOWED, set()).add(key)
