"""What a person did in the page, kept until it is carried out, whatever interrupts the run of the script.

Callbacks enqueue before the script runs; the script carries out as soon as it knows the backend. Knows the verbs of a
turn. Streamlit hands an uploaded file out once, so its bytes are kept here until they are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import streamlit as st

from conversations.library import reading
from conversations.replies import approval, turn
from conversations.store import (
    Decision,
    MessageError,
    NotFoundError,
    Store,
    check_message,
    clean,
    make_title,
)
from documents.errors import DocumentError
from documents.load import check_file
from documents.pictures.attached import NamedFile, prepare_all, split
from documents.pictures.picture import Picture
from documents.settings import DocumentSettings
from page.session.context import PageContext
from page.session.current import CurrentConversation, current_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown
from page.session.pictures import Unseen
from page.session.selection import Selection


@dataclass(frozen=True)
class Action:
    """`verb` is attach, send, edit, regenerate, continue or answer.

    The last is about the call `call_id`, those between about the message `message_id`. `files` are names and bytes,
    `pictures` what a model is to see with the text.
    """

    verb: str
    conversation: CurrentConversation
    message_id: int = 0
    text: str = ""
    backend: str | None = None
    call_id: int = 0
    decision: Decision = Decision.NO
    files: tuple[NamedFile, ...] = field(default=(), repr=False)
    pictures: tuple[Picture, ...] = field(default=(), repr=False)


def enqueue(verb: str, **fields: Any) -> None:
    """Keep an action for `run_pending`; for callbacks, which run before the script."""
    action = Action(verb, **{"conversation": current_conversation(), **fields})
    st.session_state.setdefault("pending_actions", []).append(action)


def submit_input(blindness: str | None = None) -> None:
    """Enqueue what was typed and attached; a message that cannot be sent goes back where it was typed.

    `blindness` says why the model cannot see: a message with pictures then waits for a person's word.
    """
    value = st.session_state["message"]
    text: str = value.text
    named = tuple((PurePath(upload.name).name, upload.getvalue()) for upload in value.files)
    seen, others = split(named)
    shown, problems = prepare_all(seen)
    attached = bool(others) or not (text or shown)  # an empty press is one of files, once more
    if problems:
        defer_error("\n".join(map(escape_markdown, problems)))
        st.session_state["message"] = text
    elif shown and blindness:
        current_conversation().unseen = Unseen(text, named, shown)
    elif attached and not enqueue_files(text, others):
        st.session_state["message"] = text
    elif text.strip() or shown or not named:
        enqueue_text(text, shown)


def enqueue_text(text: str, shown: tuple[Picture, ...] = ()) -> None:
    """Enqueue a message; one that cannot be sent goes back where it was typed. Nothing where there is nothing."""
    if not text and not shown:
        return
    try:
        check_message(text, beside=bool(shown))
    except MessageError as error:
        defer_error(str(error))
        st.session_state["message"] = text
    else:
        enqueue("send", text=text, pictures=shown)


def enqueue_files(text: str, files: Sequence[NamedFile]) -> bool:
    """Enqueue files that come with this text; False, with the reasons drawn, where one of them cannot be read."""
    limits = DocumentSettings.read()
    problems = [problem for name, data in files if (problem := file_problem(name, data, limits))]
    if problems:
        defer_error("\n".join(map(escape_markdown, problems)))
    else:
        enqueue("attach", text=text, files=tuple(files))
    return not problems


def file_problem(name: str, data: bytes, limits: DocumentSettings) -> str | None:
    """Why a file is refused at once, as far as its size and first bytes tell."""
    try:
        check_file(name, data, limits)
    except DocumentError as error:
        return str(error)
    return None


def run_pending(context: PageContext, selection: Selection) -> bool:
    """Carry out what can be: files are read whatever answers, the rest waits for a backend. Whether there was any."""
    pending: list[Action] = st.session_state.setdefault("pending_actions", [])
    before = len(pending)
    while pending and (selection.can_answer or pending[0].verb == "attach"):
        try:
            _run(context, pending[0], selection)
        except (MessageError, NotFoundError) as error:
            defer_error(str(error))
        pending.pop(0)  # nothing of Streamlit is called before this, so that no rerun comes in between
    return len(pending) < before


def _run(context: PageContext, action: Action, selection: Selection) -> None:
    """Raises MessageError and NotFoundError."""
    conversation = action.conversation  # which need not be the open one
    store = conversation.temporary or context.kept
    if action.verb == "attach":
        _attach_files(store, action, context.limits)
        return
    request = selection.request(context, action.backend)
    if action.verb == "send":
        identity, new = conversation.conversation_id, conversation.new_fields
        row = turn.send(store, identity, action.text, request, new, action.pictures)
        conversation.conversation_id = row.conversation_id
    elif action.verb == "edit":
        turn.edit(store, action.message_id, action.text, request)
    elif action.verb == "regenerate":
        turn.regenerate(store, action.message_id, request)
    elif action.verb == "answer":
        approval.answer(store, action.call_id, action.decision, "page", request)
    else:
        turn.continue_reply(store, action.message_id, request)


def _attach_files(store: Store, action: Action, limits: DocumentSettings) -> None:
    """Have the files read; a chat that has not begun begins with them."""
    if not action.files:
        raise MessageError(f"No file arrived: attach it once more, if it has at most {limits.max_bytes / 1e6:,.1f} MB.")
    conversation = action.conversation
    title = make_title(clean(action.text if action.text.strip() else action.files[0][0]))
    with store.ensured(conversation.conversation_id, **conversation.new_fields, title=title) as conversation_id:
        conversation.conversation_id = conversation_id
        for name, data in action.files:
            reading.start(store, conversation_id, name, data)
