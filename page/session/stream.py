"""Whether this tab is told what changes, by the event stream of our own server, and the ticket with which it asks.

Knows the session and its cookie; nothing of what is told. Where the server has no such stream (plain `streamlit run
app.py`), the browser no cookie, or a proxy lets no stream through, the page looks again and again.
"""

from typing import Any

import streamlit as st

from identity import PREFIX, cookies
from settings import Settings

PATH = "events"  # of the stream, beside the page
_scripts: dict[str, str] = {}  # the paths of the browser's scripts; none where the server has no stream


def offer(**scripts: str) -> None:
    """Say that this process serves the stream, and its scripts, `worker` and `script`, at these paths."""
    _scripts.update(scripts)


def withdraw() -> None:
    """Say that it does not."""
    _scripts.clear()


def is_offered() -> bool:
    """Whether this process is a server that has routes of ours beside the page."""
    return bool(_scripts)


def stream_data(settings: Settings, owner: str) -> dict[str, Any] | None:
    """What a component is given to follow the stream; None where there is none for this tab. Raises SettingsError."""
    if not _scripts or st.session_state.get("stream_failed"):
        return None
    sent = st.context.cookies
    issued = cookies(settings) if any(name.startswith(PREFIX) for name in sent) else None
    browser_id = issued.read(sent) if issued else None
    if issued is None or browser_id is None:
        return None
    return {"ticket": issued.sign_ticket(browser_id, owner), "path": PATH, **_scripts}


def give_up() -> None:
    """From now on this tab looks again and again: its browser cannot reach the stream."""
    st.session_state["stream_failed"] = True
