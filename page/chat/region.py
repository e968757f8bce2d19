"""Where on its page a passage stands that was read from a picture: that part of the page, its lines marked.

The picture comes from the store, for its owner alone, and travels with the page: there is no address to fetch it from.
"""

from base64 import b64encode
from functools import lru_cache

import streamlit as st

from conversations.library import files
from conversations.store import Store
from documents.part import Box
from documents.source import Source
from page.session.markdown import escape_markdown

CACHED = 64  # regions: those of a page are drawn anew with each press
MAX_WIDTH = 640  # pixels


def draw(store: Store, source: Source) -> None:
    """Draw the region of a passage; nothing where it was not read from a picture."""
    if source.region is None or source.page is None or source.document is None:
        return
    address = _picture(store, source.document, source.page, source.region)
    if address is not None:
        label = f"{source.location}, these lines marked"
        st.image(address, caption=escape_markdown(label), width=MAX_WIDTH, alt=label)


@lru_cache(CACHED)
def _picture(store: Store, document: str, page: int, region: tuple[Box, ...]) -> str | None:
    """The region as the address of itself; None where the owner has no such picture."""
    from documents.scan.preview import draw_region  # here: a page without scans needs no Pillow

    preview = files.page_picture(store, document, page)
    return f"data:image/webp;base64,{b64encode(draw_region(preview, region)).decode()}" if preview is not None else None
