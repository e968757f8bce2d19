"""What a person did in the page, kept until it is carried out, whatever interrupts the run of the script.

Callbacks enqueue before the script runs; the script carries out as soon as it knows the backend. Knows the verbs of a
turn. Streamlit hands an uploaded file out once, so its bytes are kept here until they are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import streamlit as st
from streamlit.typing import UploadedFile

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
from documents.settings import DocumentSettings
from page.session.context import PageContext
from page.session.current import CurrentConversation, current_conversation
from page.session.error import defer_error
from page.session.markdown import escape_markdown
from page.session.selection import Selection


@dataclass(frozen=True)
class Action:
    """`verb` is attach, send, edit, regenerate, continue or answer.

    The last is about the call `call_id`, those between about the message `message_id`. `files` are names and bytes.
    """

    verb: str
    conversation: CurrentConversation
    message_id: int = 0
    text: str = ""
    backend: str | None = None
    call_id: int = 0
    decision: Decision = Decision.NO
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


def enqueue(verb: str, **fields: Any) -> None:
    """Keep an action for `run_pending`; for callbacks, which run before the script."""
    action = Action(verb, **{"conversation": current_conversation(), **fields})
    st.session_state.setdefault("pending_actions", []).append(action)


def submit_input() -> None:
    """Enqueue what was typed and attached; a message that cannot be sent goes back where it was typed."""
    value = st.session_state["message"]
    text: str = value.text
    attached = bool(value.files) or not text  # an empty press is one of files, once more
    if attached and not enqueue_files(text, value.files):
        st.session_state["message"] = text
    elif text.strip() or not attached:
        _enqueue_text(text)


def _enqueue_text(text: str) -> None:
    try:
        check_message(text)
    except MessageError as error:
        defer_error(str(error))
        st.session_state["message"] = text
    else:
        enqueue("send", text=text)


def enqueue_files(text: str, uploads: Sequence[UploadedFile]) -> bool:
    """Enqueue files that come with this text; False, with the reasons drawn, where one of them cannot be read."""
    files = tuple((PurePath(upload.name).name, upload.getvalue()) for upload in uploads)
    limits = DocumentSettings.read()
    problems = [problem for name, data in files if (problem := file_problem(name, data, limits))]
    if problems:
        defer_error("\n".join(map(escape_markdown, problems)))
    else:
        enqueue("attach", text=text, files=files)
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
        row = turn.send(store, conversation.conversation_id, action.text, request, conversation.new_fields)
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
