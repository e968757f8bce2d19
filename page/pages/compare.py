"""The page Compare: one question to several backends, their replies side by side as they come, and a vote.

A comparison is a conversation: it lasts, and the chat page can go on with any of its replies.
"""

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

import backends
from backends import BackendStatus, Entry
from blocks import render_blocks
from chains.report import Report
from conversations.replies import Comparison, GenerationRequest, comparison, end_note, preload_model, watch
from conversations.store import Message, MessageError, NotFoundError, Store
from page.chat import live, reply
from page.chat.growing import thought_blocks
from page.pages import chat
from page.session import current
from page.session.context import PageContext, draw_title, load_context
from page.session.error import draw_error
from page.session.markdown import escape_markdown, safe_markdown
from page.session.picked import Picked, pick

COLUMNS = 3  # columns of one row


@dataclass
class CompareState:
    """The comparison of this tab, questions that wait for the next run, and why the last press came to nothing."""

    conversation_id: str | None = None
    questions: list[str] = field(default_factory=list)
    error: str | None = None


def draw() -> None:
    """Draw the page: one question, and the replies of several backends side by side."""
    context = load_context()
    draw_title("Compare", wide=True)
    reply.draw_style()
    names = _pick_models(backends.status(context.settings), backends.chat_models(context.settings))
    for name in names:  # so that nobody's first word waits for its model
        preload_model(name, context.settings)
    state = _state()
    _run_pending(context, names, state)
    error, state.error = state.error, None
    conversation_id = _open_comparison(state)
    if conversation_id is not None:
        _draw_comparison(context.store, conversation_id, context.stream)
    elif names:
        st.caption("One question, every model that is ready. Ask something below.")
    if error:
        draw_error(error)
    st.chat_input(
        "Ask all of them", key="compare-question", disabled=not names, on_submit=_submit_question, args=(state,)
    )


def _state() -> CompareState:
    state: CompareState = st.session_state.setdefault("compare", CompareState())
    return state


def _pick_models(statuses: list[BackendStatus], entries: list[Entry]) -> list[str]:
    """Draw the picker of backends and of models on this machine, and what the others lack; the names picked."""
    ready = [status.name for status in statuses if status.problem is None]
    names = list(dict.fromkeys([*ready, *(entry.full_name for entry in entries)]))
    picked = st.multiselect(
        "Backends", names, ready, key="compared", persist_state="session", placeholder="Choose at least one"
    )
    for status in statuses:
        if status.problem:
            st.caption(f":material/block: {escape_markdown(status.name)}: {safe_markdown(status.problem)}")
    return picked


def _open_comparison(state: CompareState) -> str | None:
    """The comparison of this tab: the session's, which the address lags behind, or after a reload the address's."""
    state.conversation_id = state.conversation_id or st.query_params.get("c")
    if state.conversation_id:
        st.query_params["c"] = state.conversation_id
    return state.conversation_id


def _submit_question(state: CompareState) -> None:
    """Keep the question for the next run, which knows what is picked by then."""
    state.questions.append(st.session_state["compare-question"])


def _run_pending(context: PageContext, names: list[str], state: CompareState) -> None:
    """Start a comparison for what was asked; nothing of Streamlit is called, so that no rerun comes in between."""
    while state.questions:
        requests = [GenerationRequest(context.settings, name) for name in names]
        try:
            state.conversation_id = comparison.start(context.store, state.questions[0], requests)
        except MessageError as error:
            state.error = str(error)
        state.questions.pop(0)


def _draw_comparison(store: Store, conversation_id: str, stream_data: dict[str, Any] | None) -> None:
    """Draw question and replies; a browser that cannot follow those that grow looks at all of them at every tick."""
    try:
        compared = comparison.read(store, conversation_id)
    except NotFoundError:
        _state().conversation_id = None
        st.subheader("Comparison not found", anchor=False)
        st.markdown("It may have been deleted, or its address is mistyped. Ask something below to begin another.")
        return
    with st.container(key="question"), st.chat_message("user"):
        st.text(compared.question.text)
    if stream_data is None and any(message.live for message in compared.replies):
        st.fragment(_look, run_every=live.TICK)(store, compared)
    else:
        _draw_replies(store, compared, stream_data)


def _look(store: Store, compared: Comparison) -> None:
    """Draw all replies as they are now."""
    compared.replies = [live.refresh(store, each) if each.live else each for each in compared.replies]
    if not any(message.live for message in compared.replies):
        st.rerun()
    _draw_replies(store, compared, None)


def _draw_replies(store: Store, compared: Comparison, stream_data: dict[str, Any] | None) -> None:
    """Draw all replies, in rows of COLUMNS."""
    for first in range(0, len(compared.replies), COLUMNS):
        row = range(first, min(first + COLUMNS, len(compared.replies)))
        for at, column in zip(row, st.columns(len(row)), strict=True):
            with column, st.container(border=True, key=f"compared-{compared.replies[at].id}"):
                _draw_reply(store, compared, at, stream_data)


def _draw_reply(store: Store, compared: Comparison, at: int, stream_data: dict[str, Any] | None) -> None:
    """Draw a reply, its metrics, and what can be done with it."""
    message = compared.replies[at]
    won = ":material/trophy: " if message.id == compared.winner else ""
    st.subheader(won + escape_markdown(compared.backend_name(at) or "?"), anchor=False)
    growing = watch.local_reply(store.database, message.id)
    _draw_metrics(message if growing is None else growing.report)
    if message.live:
        live.draw_words(store, message, stream_data)
    elif message.text or message.thinking:
        reply.draw(message.id, (*thought_blocks(message), *render_blocks(message.text)), stream_data)
    if message.error:
        draw_error(message.error)
    if note := end_note(message):
        st.caption(note)
    if message.live:
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            key=f"stop-{message.id}",
            on_click=_stop,
            args=(store, message.id),
            help=f"Stop {compared.backend_name(at)}",
        )
    elif message.text and not any(each.live for each in compared.replies):
        _draw_choices(store, compared, message)


def _draw_metrics(of: Message | Report) -> None:
    """Draw time to the first token, speed and length, as far as they are known."""
    first = "–" if of.ttft_ms is None else f"{of.ttft_ms / 1000:.2f} s"
    speed = "–" if of.tokens_per_second is None else f"{of.tokens_per_second:,.0f}"
    length = "–" if of.completion_tokens is None else f"{of.completion_tokens:,}"
    with st.container(horizontal=True, gap="medium"):
        st.metric("First token", first)
        st.metric("Tokens/s", speed)
        st.metric("Tokens", length)


def _draw_choices(store: Store, compared: Comparison, message: Message) -> None:
    """Draw the vote, and the way to the chat."""
    won = message.id == compared.winner
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Best reply",
            icon=":material/trophy:",
            key=f"vote-{message.id}",
            on_click=_vote,
            args=(store, compared, message.id),
            type="primary" if won else "secondary",
            help="Take the vote back" if won else "Vote for this reply",
        )
        st.button(
            "Go on with this one",
            icon=":material/forum:",
            key=f"go-{message.id}",
            on_click=_continue_in_chat,
            args=(store, message),
        )


def _continue_in_chat(store: Store, message: Message) -> None:
    """Open a reply's branch in the chat page, with its backend picked."""
    try:
        store.select_branch(message.id)
    except NotFoundError:
        return
    current.open_conversation(message.conversation_id)
    if message.backend:
        pick(store, Picked(message.backend))
    st.switch_page(st.Page(chat.draw, title="Chat", url_path="chat"), query_params={"c": message.conversation_id})


def _vote(store: Store, compared: Comparison, message_id: int) -> None:
    try:
        comparison.vote(store, compared, message_id)
    except NotFoundError:
        _state().error = "This comparison is no longer there."


def _stop(store: Store, message_id: int) -> None:
    try:
        watch.stop(store, message_id)
    except NotFoundError:
        _state().error = "This comparison is no longer there."
