"""The pictures of messages: small beside the words, large when one is opened; and what to do where no model sees them.

They come from the store, for their owner alone, and travel with the page: a browser fetches them from nowhere.
"""

from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from conversations.store import NotFoundError, PictureInfo, Store
from documents.load import how_to_install
from documents.pictures.attached import NamedFile
from documents.pictures.picture import Picture
from documents.scan.recognizer import missing_packages
from page.session import actions
from page.session.current import current_conversation
from page.session.markdown import escape_markdown
from page.session.pictures import Unseen

CACHED = 64  # pictures: those of a page are drawn anew with each press
SIDE = 240  # pixels of the longer side
GONE = "A picture was here, and is deleted."


def draw(store: Store, shown: Sequence[PictureInfo]) -> None:
    """Draw the pictures of a message beside each other; each has a button that shows the whole of it."""
    if not shown:
        return
    with st.container(horizontal=True, gap="small"):
        for each in shown:
            try:
                _draw(_address(store, each.digest), each)
            except NotFoundError:
                st.caption(GONE)


def _draw(address: str, picture: PictureInfo | Picture) -> None:
    """Draw one, its longer side so long and no longer than it is."""
    scale = min(1.0, SIDE / max(picture.width, picture.height))
    st.image(address, width=max(1, round(picture.width * scale)), alt=f"Picture: {picture.name}")


@lru_cache(CACHED)
def _address(store: Store, digest: str) -> str:
    """A picture as the address of itself. Raises NotFoundError."""
    return store.picture(digest).data_url


def draw_unseen(unseen: Unseen | None, blindness: str | None) -> None:
    """Draw a message that waits because its model cannot see, and what can be done with it.

    `blindness`: why the one that is picked now cannot; None where it may.
    """
    if unseen is None:
        return
    with st.container(border=True, key="unseen"):
        with st.container(horizontal=True, gap="small"):
            for picture in unseen.pictures:
                _draw(picture.data_url, picture)
        if unseen.text.strip():
            st.text(unseen.text)
        if blindness:
            st.caption(f":material/visibility_off: {escape_markdown(blindness)}")
        missing = bool(missing_packages())
        with st.container(horizontal=True):
            if not blindness:
                st.button("Show it to this model", type="primary", on_click=_show, args=(unseen,))
            st.button(
                "Read the text in it" if len(unseen.pictures) == 1 else "Read the text in them",
                icon=":material/document_scanner:",
                type="primary" if blindness else "secondary",
                disabled=missing,
                on_click=_read_text,
                args=(unseen,),
            )
            if unseen.text.strip():
                st.button("Send without", on_click=_send_without, args=(unseen,))
            st.button("Discard", on_click=_discard, args=(unseen,))
        if missing:
            st.caption(f"The text in a picture cannot be read yet: {escape_markdown(how_to_install())}.")


def _show(unseen: Unseen) -> None:
    """Send the message as it was meant, to a model that was picked since."""
    _send(unseen.text, unseen.others, unseen.pictures)


def _read_text(unseen: Unseen) -> None:
    """Attach the pictures as documents, and send what was asked."""
    _send(unseen.text, unseen.files)


def _send_without(unseen: Unseen) -> None:
    _send(unseen.text, unseen.others)


def _send(text: str, files: Sequence[NamedFile], shown: tuple[Picture, ...] = ()) -> None:
    current_conversation().unseen = None
    if not files or actions.enqueue_files(text, files):
        actions.enqueue_text(text, shown)


def _discard(unseen: Unseen) -> None:
    """Leave the message; its words go back to where they were written."""
    current_conversation().unseen = None
    st.session_state["message"] = unseen.text
