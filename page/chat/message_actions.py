"""What can be done with a message, as one row of buttons: a small component, because one is quick to draw for each of
fifty messages, where fifty times eight widgets are not. Knows which verbs a message has; what is
pressed goes to session/actions.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import streamlit as st

from conversations.store import Message, NotFoundError, PictureInfo, State, Store, Thread
from page.session.actions import enqueue, enqueue_files
from page.session.current import current_conversation
from page.session.error import defer_error
from page.session.selection import Selection

FOLDER = Path(__file__).parent
CUT_SHORT = (State.STOPPED, State.INTERRUPTED, State.FAILED)

VERBS = ("regenerate", "continue", "edit", "up", "down", "previous", "next")

row = st.components.v2.component(
    "message_actions",
    html='<div class="row" role="group"></div>',
    css=(FOLDER / "message_actions.css").read_text(encoding="utf-8"),
    js=(FOLDER / "message_actions.js").read_text(encoding="utf-8"),
)


def draw(store: Store, thread: Thread, message: Message, selection: Selection) -> None:
    """Draw the row of buttons under a message that has ended."""
    versions = thread.branches.get(message.id, [message.id])
    feedback, shown = thread.feedback.get(message.id), thread.pictures.get(message.id, ())
    value = feedback.value if feedback else None
    others = [name for name in selection.ready_backends if name != selection.backend]
    data = {
        "role": message.role,
        "text": message.text,
        "version": versions.index(message.id) + 1,
        "versions": len(versions),
        "can": (*allowed_verbs(message, message is thread.messages[-1], selection), *(("read",) if shown else ())),
        "others": tuple(others),
        "value": value,
        "found": current_conversation().highlighted_id == message.id,
    }
    # an event for each button: what a row held is gone with it, and one that the script has replaced is still pressed
    events: dict[str, Any] = {
        f"on_{verb}_change": partial(_run_verb, store, verb, message, versions, value) for verb in VERBS
    }
    events["on_read_change"] = partial(_read, store, shown)
    for number, name in enumerate(others):
        events[f"on_other{number}_change"] = partial(enqueue, "regenerate", message_id=message.id, backend=name)
    row(key=f"actions-{message.id}", data=data, **events)


def allowed_verbs(message: Message, is_last: bool, selection: Selection) -> list[str]:
    """The verbs that a message allows beside copy: edit, rate, regenerate, continue."""
    able = selection.backend is not None and not selection.problem
    if message.role == "user":
        return ["edit"] if able else []
    if message.role != "assistant":
        return []
    verbs = ["rate"] if message.text else []
    if able and message.parent_id is not None:
        verbs.append("regenerate")
        cut = message.state in CUT_SHORT or message.stop_reason == "length"
        if is_last and cut and (message.text or (message.only_thought and selection.computes_here)):
            verbs.append("continue")
    return verbs


def _run_verb(store: Store, verb: str, message: Message, versions: list[int], value: int | None) -> None:
    """Carry out the verb of the button that was pressed."""
    version = versions.index(message.id)
    try:
        if verb in {"regenerate", "continue"}:
            enqueue(verb, message_id=message.id)
        elif verb == "edit":
            current_conversation().editing_id = message.id
        elif verb in {"up", "down"}:
            _rate(store, message.id, {"up": 1, "down": -1}[verb], value)
        elif verb in {"previous", "next"}:
            store.select_branch(versions[version + (1 if verb == "next" else -1)])
    except (NotFoundError, IndexError):
        defer_error("This message is no longer there.")


def _read(store: Store, shown: Sequence[PictureInfo]) -> None:
    """Attach the pictures of a message as documents, so that the text in them is read."""
    try:
        found = [store.picture(each.digest) for each in shown]
    except NotFoundError:
        defer_error("This message is no longer there.")
        return
    enqueue_files(
        "", [(f"{PurePath(each.name).stem}.{each.mime_type.rpartition('/')[2]}", each.data) for each in found]
    )


def _rate(store: Store, message_id: int, value: int, current: int | None) -> None:
    """Rate a reply; a second press takes the thumb back. Raises NotFoundError."""
    store.rate(message_id, None if value == current else value)
    current_conversation().commenting_id = None if value == current else message_id
