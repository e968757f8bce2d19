"""What somebody did in the page and what becomes of it: kept until it is carried out, whatever interrupts the run.

Callbacks post before the script runs; the script delivers as soon as it knows the backend. Knows the verbs of a turn.
Streamlit hands an uploaded file out once, so its bytes are kept here until they are read.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.typing import UploadedFile

from conversations.library import reading
from conversations.replies import turn
from conversations.replies.generation import GenerationRequest
from conversations.store import store as stores
from conversations.store import text
from conversations.store.store import NotFoundError, Store
from conversations.store.text import MessageError
from documents.kind import SNIFFED, DocumentError, kind
from documents.load import too_large
from documents.settings import Limits
from page.session.context import Visit
from page.session.current import Opened, current
from page.session.markdown import plain

ECHO = 5.0  # seconds within which the same wish can be the same press


@dataclass
class Chosen:
    """What replies are made with; `problem` says why there can be none."""

    backend: str | None
    problem: str | None
    options: dict[str, Any] = field(default_factory=dict)
    ready: list[str] = field(default_factory=list)
    refusal: str | None = None  # why nothing is summed up although the settings ask for it

    def ask(self, found: Visit, backend: str | None) -> GenerationRequest:
        """For this backend, or another: the model's name holds for one server only."""
        assert self.backend is not None
        if backend is None or backend == self.backend:
            return GenerationRequest(found.settings, self.backend, self.options)
        return GenerationRequest(found.settings, backend, {k: v for k, v in self.options.items() if k != "model"})


@dataclass(frozen=True)
class Wish:
    """`verb` is attach, send, edit, regenerate or proceed; all but the first two are about the message `number`.

    `files` are names and bytes. They come with the first of two equal presses only.
    """

    verb: str
    place: Opened
    number: int = 0
    text: str = ""
    backend: str | None = None
    files: tuple[tuple[str, bytes], ...] = field(default=(), compare=False, repr=False)


def post(verb: str, **fields: Any) -> None:
    """Called before the script runs."""
    wish = Wish(verb, current(), **fields)
    if not echo(wish):
        st.session_state.setdefault("outbox", []).append(wish)


def echo(wish: Wish) -> bool:
    """Whether it is the last press over again: one in the moment of a fragment's tick goes out with both."""
    last, at = st.session_state.pop("ticked", (None, 0.0))
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        st.session_state["ticked"] = wish, time.monotonic()
    return bool(wish == last and not wish.files and time.monotonic() - at < ECHO)


def say() -> None:
    """Post what was typed and attached; a message that cannot be sent goes back where it was typed."""
    given = st.session_state["message"]
    typed: str = given.text
    attached = bool(given.files) or not typed  # an empty press is one of files, over again
    if attached and not attach(typed, given.files):
        st.session_state["message"] = typed
    elif typed.strip() or not attached:
        _write(typed)


def _write(typed: str) -> None:
    try:
        text.message(typed)
    except MessageError as error:
        refuse(str(error))
        st.session_state["message"] = typed
    else:
        post("send", text=typed)


def attach(typed: str, given: Sequence[UploadedFile]) -> bool:
    """Post files that come with these words; False, with the reasons shown, where one of them cannot be read."""
    files = tuple((PurePath(each.name).name, each.getvalue()) for each in given)
    limits = Limits.read()
    problems = [why for name, data in files if (why := unreadable(name, data, limits))]
    if problems:
        refuse("\n".join(map(plain, problems)))
    else:
        post("attach", text=typed, files=files)
    return not problems


def unreadable(name: str, data: bytes, limits: Limits) -> str | None:
    """Why a file is refused at once, as far as its size and first bytes tell."""
    if len(data) > limits.max_bytes:
        return too_large(name, len(data), limits)
    try:
        kind(name, data[:SNIFFED])
    except DocumentError as error:
        return str(error)
    return None


def refuse(why: str) -> None:
    """Shown by the next run."""
    st.session_state["refused"] = why


def refused() -> str | None:
    """Why the last thing could not be done, once."""
    why: str | None = st.session_state.pop("refused", None)
    return why


def deliver(found: Visit, chosen: Chosen) -> bool:
    """Carry out what can be: files are read whatever answers, the rest waits for a backend. Whether there was any."""
    box: list[Wish] = st.session_state.setdefault("outbox", [])
    before, mute = len(box), chosen.backend is None or chosen.problem is not None
    while box and not (mute and box[0].verb != "attach"):
        try:
            _carry_out(found, box[0], chosen)
        except (MessageError, NotFoundError) as error:
            refuse(str(error))
        box.pop(0)  # nothing of Streamlit is called before this, so that no rerun comes in between
    return len(box) < before


def _carry_out(found: Visit, wish: Wish, chosen: Chosen) -> None:
    """Raises MessageError and NotFoundError."""
    if wish.verb == "attach":
        _attach(found.store, wish, found.limits)
        return
    ask = chosen.ask(found, wish.backend)
    if wish.verb == "send":
        new: Mapping[str, Any] = wish.place.fields
        wish.place.identity = turn.send(found.store, wish.place.identity, wish.text, ask, new).conversation_id
    elif wish.verb == "edit":
        turn.edit(found.store, wish.number, wish.text, ask)
    elif wish.verb == "regenerate":
        turn.regenerate(found.store, wish.number, ask)
    else:
        turn.continue_reply(found.store, wish.number, ask)


def _attach(store: Store, wish: Wish, limits: Limits) -> None:
    """Have the files read; a chat that has not begun begins with them."""
    if not wish.files:
        raise MessageError(f"No file arrived: attach it once more, if it has at most {limits.max_bytes / 1e6:,.1f} MB.")
    if wish.place.identity is None:
        with store.database.writing() as session:
            made = turn.create_conversation(session, store, **wish.place.fields)
            made.title = stores.title(text.clean(wish.text if wish.text.strip() else wish.files[0][0]))
            identity = made.id
        wish.place.identity = identity
    store.get(wish.place.identity)
    for name, data in wish.files:
        reading.begin(store, wish.place.identity, name, data)
