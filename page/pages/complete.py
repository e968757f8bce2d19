"""The page Complete: a text that the model goes on with. It belongs to this tab alone, and nothing of it is stored.

The continuation runs outside the script, as every reply does; its browser follows it, and this page takes it over when
it ends.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import streamlit as st

import backends
from backends import ProviderModel
from blocks import plain_blocks
from conversations.replies import Reply, preload_model, stream_completion
from conversations.store import STATE_NOTES, MessageError, State, check_message
from page.chat import live, reply, sampling
from page.chat.growing import waiting_text
from page.chat.header import pick_backend, pick_model
from page.chat.metrics import format_metrics
from page.session.binding import accept_change, bind
from page.session.context import PageContext, draw_title, load_context
from page.session.error import draw_error
from page.session.markdown import escape_markdown
from page.session.picked import read_picked
from page.session.selection import Selection
from page.stream.completion import Completion

SUGGESTION = "Data Science is"
MAX_UNDO = 100  # that can be undone
NO_RAW_TEXT = "{} answers messages only: it cannot continue raw text. Choose gpt2, llamacpp or openai."


@dataclass
class Draft:
    """The text in the box, the texts before it, and the continuation that is wanted, runs or ended last."""

    text: str = ""
    history: list[str] = field(default_factory=list)
    growing: Completion | None = None
    last_reply: Reply | None = None
    error: str | None = None
    is_wanted: bool = False

    def replace(self, text: str) -> None:
        """Set another text; the one before can be had back."""
        if text != self.text:
            self.history = [*self.history, self.text][-MAX_UNDO:]
            self.text = text

    def undo(self) -> None:
        """Go back to the text before."""
        if self.history:
            self.text, self.last_reply = self.history.pop(), None

    def adopt_reply(self) -> None:
        """Add what a continuation brought to the text, once it has ended."""
        ended = self.growing
        if ended is not None and not ended.reply.running:
            self.replace(ended.whole)
            self.growing, self.last_reply = None, ended.reply


def draw() -> None:
    """Draw the page: a text, and how a model goes on with it."""
    context = load_context()
    draft: Draft = st.session_state.setdefault("draft", Draft())
    draft.adopt_reply()
    draw_title("Complete")
    reply.draw_style()
    st.caption("The model goes on with your text, word by word. Nothing of it is kept.")
    selection = _pick_model(context)
    if draft.is_wanted:
        _start(draft, context, selection)
        draft.is_wanted = False
    if draft.growing is not None:
        if context.stream is None:
            st.fragment(_look, run_every=live.TICK)(draft.growing)
        else:
            _draw_growing(draft.growing, context.stream)
        return
    key = bind("completing", draft.text)
    st.text_area(
        "Text to continue",
        draft.text,
        height=320,
        key=key,
        on_change=accept_change,
        args=("completing", key, draft.replace),
        placeholder="Begin a sentence, and let the model go on.",
    )
    _draw_buttons(draft, selection)
    _draw_outcome(draft, selection)


def _pick_model(context: PageContext) -> Selection:
    """Draw the pickers of backend, model and sampling; the selection they make."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        picked = read_picked(None)
        selection = pick_backend(backends.status(context.settings), context, picked)
        if selection.backend and ProviderModel.parse(selection.backend):
            selection.problem = selection.problem or NO_RAW_TEXT.format(selection.backend)
        pick_model(selection, context, picked)
        if selection.backend and not selection.problem:
            preload_model(selection.backend, context.settings)
        with st.popover("Sampling", icon=":material/tune:"):
            selection.options.update(sampling.draw(backends.sampling_defaults(selection.backend, context.settings)))
    return selection


def _draw_buttons(draft: Draft, selection: Selection) -> None:
    """Draw Continue, Undo and a suggestion."""
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Continue",
            icon=":material/play_arrow:",
            type="primary",
            on_click=_want_continuation,
            key="continue",
            args=(draft,),
            disabled=bool(selection.problem),
        )
        st.button(
            "Undo",
            icon=":material/undo:",
            on_click=draft.undo,
            disabled=not draft.history,
            key="undo",
            help="Take the last change back",
        )
        if not draft.text:
            st.button(SUGGESTION, on_click=draft.replace, args=(SUGGESTION,), key="suggestion")


def _draw_outcome(draft: Draft, selection: Selection) -> None:
    """Draw what went wrong, and the metrics of the last continuation."""
    refused, draft.error = draft.error, None
    ended = draft.last_reply
    for problem in (selection.problem, refused, ended.error if ended else None):
        if problem:
            draw_error(problem)
    if ended is not None:
        stopped = f"{STATE_NOTES[State.STOPPED]}. " if ended.state is State.STOPPED else ""
        st.caption(escape_markdown(stopped + format_metrics(ended.report)))


def _want_continuation(draft: Draft) -> None:
    """Have the next run start it, which knows what is picked by then."""
    draft.is_wanted = True


def _start(draft: Draft, context: PageContext, selection: Selection) -> None:
    """Start a continuation of the text as it stands in the box."""
    if draft.growing is not None or selection.backend is None:
        return
    try:
        text = check_message(draft.text)
    except MessageError as error:
        draft.error = str(error)
        return
    draft.last_reply = None
    continuation = Reply(partial(stream_completion, text, selection.request(context, None)))
    draft.growing = Completion(context.owner.name, draft.text, continuation)


def _look(growing: Completion) -> None:
    """Draw the text as it is now."""
    if not growing.reply.running:
        st.rerun()
    _draw_growing(growing, None)


def _draw_growing(growing: Completion, stream_data: dict[str, Any] | None) -> None:
    """Draw the text so far, and Stop, which where the page looks again and again shares no other widget's fate."""
    wait = "" if growing.reply.text else waiting_text(growing.reply)
    with st.container(border=True, height=320, autoscroll=True, key="growing"):
        if stream_data is not None:
            reply.draw_growing("completion", growing.topic, stream_data, wait, plain=True)
        else:
            reply.draw_now("completion", plain_blocks(growing.whole), growing=True, wait=wait, plain=True)
    st.button("Stop", icon=":material/stop_circle:", key="stop", on_click=growing.reply.stop, shortcut="Escape")
