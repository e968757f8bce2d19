"""The page Complete: a text that the model goes on with. It belongs to this tab alone, and nothing of it is stored.

The continuation runs outside the script, as every reply does; this page looks at it, and takes it over when it ends.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import backends
from chains.assistant import build
from conversations.replies.preload import preload
from conversations.replies.reply import Reply
from conversations.store.schema import State
from conversations.store.text import MessageError, check_message
from page.chat import live, sampling
from page.chat.figures import figures
from page.chat.header import model, pick
from page.session.context import PageContext, draw_title, load_context
from page.session.error import draw_error
from page.session.markdown import escape_markdown
from page.session.selection import Selection
from settings import Settings

SUGGESTION = "Data Science is"
STEPS = 100  # that can be undone
NO_RAW = "{} answers messages only: it cannot continue raw text. Choose gpt2, llamacpp or openai."


@dataclass
class Draft:
    """The text in the box, the steps that led to it, and the continuation under way or last ended."""

    text: str = ""
    steps: list[str] = field(default_factory=list)
    reply: Reply | None = None
    ended: Reply | None = None
    refused: str | None = None

    def put(self, text: str) -> None:
        """Another text; the one before can be had back."""
        if text != self.text:
            self.steps = [*self.steps, self.text][-STEPS:]
            self.text = text

    def undo(self) -> None:
        """One step back."""
        if self.steps:
            self.text, self.ended = self.steps.pop(), None

    def settle(self) -> None:
        """Take over what a continuation brought, once it has ended."""
        if self.reply is not None and not self.reply.running:
            self.put(self.text + self.reply.text)
            self.reply, self.ended = None, self.reply


def draw() -> None:
    """One run of the page."""
    found = load_context()
    draft: Draft = st.session_state.setdefault("draft", Draft())
    draft.settle()
    draw_title("Complete")
    st.caption("The model goes on with your text, word by word. Nothing of it is kept.")
    chosen = choose(found)
    if draft.reply is not None:
        st.fragment(grow, run_every=live.TICK)(draft)
        return
    st.session_state["completing"] = draft.text
    st.text_area(
        "Text to continue",
        height=320,
        key="completing",
        on_change=_typed,
        args=(draft,),
        placeholder="Begin a sentence, and let the model go on.",
    )
    controls(found, draft, chosen)
    below(draft, chosen)


def choose(found: PageContext) -> Selection:
    """The backend and how it samples."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chosen = pick(backends.status(found.settings), found)
        if chosen.backend and ":" in chosen.backend:
            chosen.problem = chosen.problem or NO_RAW.format(chosen.backend)
        if chosen.backend and not chosen.problem:
            preload(chosen.backend, found.settings)
        model(chosen, found)
        with st.popover("Sampling", icon=":material/tune:"):
            chosen.options.update(sampling.draw(backends.sampling_defaults(chosen.backend, found.settings)))
    return chosen


def controls(found: PageContext, draft: Draft, chosen: Selection) -> None:
    """What can be done with the text."""
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Continue",
            icon=":material/play_arrow:",
            type="primary",
            on_click=begin,
            key="continue",
            args=(draft, found.settings, chosen),
            disabled=bool(chosen.problem),
        )
        st.button(
            "Undo",
            icon=":material/undo:",
            on_click=draft.undo,
            disabled=not draft.steps,
            key="undo",
            help="Take the last change back",
        )
        if not draft.text:
            st.button(SUGGESTION, on_click=draft.put, args=(SUGGESTION,), key="suggestion")


def below(draft: Draft, chosen: Selection) -> None:
    """What went wrong, or how the last continuation went."""
    refused, draft.refused = draft.refused, None
    ended = draft.ended
    for problem in (chosen.problem, refused, ended.error if ended else None):
        if problem:
            draw_error(problem)
    if ended is not None:
        stopped = "Stopped. " if ended.state is State.STOPPED else ""
        st.caption(escape_markdown(stopped + figures(ended.report)))


def _typed(draft: Draft) -> None:
    draft.put(st.session_state["completing"] or "")


def begin(draft: Draft, settings: Settings, chosen: Selection) -> None:
    """Start a continuation of the text as it stands in the box."""
    if draft.reply is not None or chosen.backend is None:
        return
    try:
        text = check_message(draft.text)
    except MessageError as error:
        draft.refused = str(error)
        return
    backend, options = chosen.backend, dict(chosen.options)
    draft.ended = None
    draft.reply = Reply(lambda reply: continued(settings, backend, options, text, reply))


async def continued(
    settings: Settings, backend: str, options: Mapping[str, Any], text: str, reply: Reply
) -> AsyncIterator[str]:
    """What the model adds, as it comes. Raises ModelError kinds."""
    reply.start()
    chain = build(settings, backend, raw=True, options=options)
    async for part in chain.astream({"input": text}, {"callbacks": [reply.report]}):
        yield part


def grow(draft: Draft) -> None:
    """The text with what has come so far; the stop button lives here, so that no other widget shares its fate."""
    reply = draft.reply
    if reply is None or not reply.running:
        st.rerun()
    with st.container(border=True, height=320, autoscroll=True, key="growing"):
        st.text(draft.text + reply.text + " ▌")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Stop", icon=":material/stop_circle:", key="stop", on_click=reply.stop, shortcut="Escape")
        if not reply.text:
            st.caption(escape_markdown(live.waiting(reply)))
