"""The chat page: reads what is open, carries out what was pressed, draws the conversation. No model, and no SQL."""

from pathlib import Path

import streamlit as st

from conversations.library import files as library
from conversations.replies import preload_model, strangers
from conversations.store import Conversation, Message, NotFoundError, Project, Store, Thread
from page.chat import (
    context_meter,
    files,
    form,
    header,
    live,
    message_actions,
    news,
    personas,
    pictures,
    project,
    reply,
    sharing,
    sidebar,
    temporary,
    welcome,
)
from page.chat.message import draw_body
from page.session.actions import run_pending, submit_input
from page.session.context import PageContext, in_chat, load_context, warn_if_exposed
from page.session.current import PAGE_SIZE, current_conversation, follow_address, open_conversation
from page.session.error import draw_error, pop_error
from page.session.markdown import escape_markdown
from page.session.project import read_project
from page.session.selection import Selection

STYLE = Path(__file__).with_name("chat.css")
AVATARS = {"assistant": ":material/robot_2:", "user": ":material/person:", "system": ":material/build:"}


def draw() -> None:
    """Draw the page: header, the shown branch, and the box to write in."""
    own = load_context()
    preload_model(own.choice.name, own.settings)
    follow_address()
    sharing.accept(own)
    context = in_chat(own)
    st.html(STYLE)
    reply.draw_style()
    warn_if_exposed(context.settings)
    listing = news.listing_version(own.store) if own.stream else ""
    thread: Thread | None = None
    opened: Project | None = None
    try:
        thread = _read_thread(context.store)
        opened = read_project(context.store, thread.conversation if thread else None)
        selection = header.draw(context, thread.conversation if thread else None, opened)
        temporary.draw_notice()
        if selection.backend and not selection.problem:
            preload_model(selection.backend, context.settings)
        if run_pending(context, selection):
            st.rerun()  # what is drawn already may have been for a chat that had not begun
    except NotFoundError:
        thread, selection = None, Selection(None, None)
        _draw_missing()
    else:
        _draw_conversation(context, thread, selection, opened)
    for problem in filter(None, (pop_error(), selection.problem)):
        draw_error(problem)
    pictures.draw_unseen(current_conversation().unseen, selection.blindness(context))
    _draw_input(context, selection)
    context_meter.draw(thread)
    sidebar.draw(own, opened)
    if own.stream:
        news.draw(own.stream, thread.conversation if thread and context is own else None, listing)


def _draw_input(context: PageContext, selection: Selection) -> None:
    """Draw the input for messages and files; which kinds of files are read, our own errors say."""
    closed = selection.backend is None or selection.problem is not None
    largest = files.upload_limit(context.limits)
    st.chat_input(
        "Write a message",
        key="message",
        disabled=closed,
        on_submit=submit_input,
        args=(selection.blindness(context),),
        accept_file="multiple",
        max_upload_size=largest,
    )


def _read_thread(store: Store) -> Thread | None:
    """The open conversation's shown branch; None for a chat that has not begun. Raises NotFoundError."""
    current = current_conversation()
    return (
        None if current.conversation_id is None else store.thread(current.conversation_id, last=current.message_limit)
    )


def _draw_missing() -> None:
    """Draw one text for what never was, what was deleted and what is somebody else's."""
    st.title("Conversation not found")
    st.markdown("It may have been deleted, or its address is mistyped.")
    st.button("Start a new chat", on_click=open_conversation)


def _draw_conversation(
    context: PageContext, thread: Thread | None, selection: Selection, opened: Project | None
) -> None:
    """Draw the shown branch, from its oldest message within the limit to the newest."""
    if thread is None:
        project.draw(context, opened)
        files.draw(context, None, selection, opened)
        welcome.draw(selection.backend, personas.current_persona(None, opened), context.settings)
        _draw_readings(context.store, None, opened)
        if opened is None:
            temporary.draw_switch()
        return
    with st.container(key="heading", horizontal=True, vertical_alignment="center"):
        st.title(escape_markdown(thread.conversation.title), anchor=False)
        project.draw(context, opened)
        files.draw(context, thread.conversation, selection, opened)
    if thread.earlier:
        st.button(
            f"Show earlier ({thread.earlier})",
            key="earlier",
            on_click=_show_earlier,
            type="tertiary",
            icon=":material/expand_less:",
        )
    live_ids = [message.id for message in thread.messages if message.live]
    edge = context_meter.count_outside(thread)
    for position, message in enumerate(thread.messages, thread.earlier):
        if edge and position == max(edge, thread.earlier):
            context_meter.draw_edge(edge, thread.summary, selection.no_summary_reason)
        if message.hidden:
            continue
        _draw_message(context, thread, message, selection, is_first_live=[message.id] == live_ids[:1])
    _draw_readings(context.store, thread.conversation, opened)
    if not thread.messages:
        files.draw_invitation(context.store, thread.conversation.id)
    if context.stream is None:
        live.redraw_on_change(context.store, thread.conversation)


def _draw_readings(store: Store, conversation: Conversation | None, opened: Project | None) -> None:
    """Draw what is being read for the conversation, and for its project."""
    if conversation is not None:
        files.draw_readings(store, conversation.id, library.listing(store, conversation.id))
    if opened is not None:
        files.draw_readings(store, opened.id, library.project_listing(store, opened.id))


def _question(thread: Thread, message: Message) -> str:
    """The text that a message answers; empty where it is not on the page."""
    return next((each.text for each in thread.messages if each.id == message.parent_id), "")


def _show_earlier() -> None:
    current_conversation().message_limit += PAGE_SIZE


def _draw_message(
    context: PageContext, thread: Thread, message: Message, selection: Selection, is_first_live: bool
) -> None:
    """Draw a message with its sources, actions and open forms."""
    role = message.role if message.role in {"user", "assistant"} else "system"
    feedback, editing = thread.feedback.get(message.id), current_conversation().editing_id == message.id
    shown = thread.pictures.get(message.id, ())
    with st.container(key=f"{role}-{message.id}"):
        with st.chat_message(message.role, avatar=AVATARS[role]):
            if message.live:
                live.draw(context.store, message, is_first_live, context.stream, thread.calls.get(message.id, ()))
            elif editing:
                pictures.draw(context.store, shown)
                form.draw_edit(message, has_pictures=bool(shown))
            else:
                passages, question = thread.sources.get(message.id, ()), _question(thread, message)
                draw_body(
                    context.store,
                    message,
                    feedback,
                    passages,
                    question,
                    pictures=shown,
                    made_calls=thread.calls.get(message.id, ()),
                    holds_strangers=message.id in strangers.holders([message], thread.calls, thread.sources),
                    stream_data=context.stream,
                )
        if not message.live and not editing:
            message_actions.draw(context.store, thread, message, selection)
        if feedback is not None and current_conversation().commenting_id == message.id:
            form.draw_comment(context.store, feedback)
