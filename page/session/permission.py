"""Who may change what lies on this machine's disk: whoever sits at it, everybody, or nobody, by MODELS_DOWNLOAD.

Knows settings, addresses and headers; nothing of models.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st

from backends import models
from exposure import is_remote
from page.session.owner import login_providers
from settings import Settings

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")  # what a proxy adds


def may_download(settings: Settings) -> bool:
    """Whether this visitor may download and remove models. Raises SettingsError."""
    allowed = settings.group(models.ModelsSettings).download
    if allowed == "local":
        return not login_providers() and is_local(settings.host, st.context.headers)
    return allowed == "all"


def is_local(host: str, headers: Mapping[str, str]) -> bool:
    """Whether a page is open on the machine that serves it: it listens there alone, and no proxy stands before it."""
    names = {name.lower(): value for name, value in headers.items()}
    if is_remote(host) or any(name in names for name in FORWARDED):
        return False
    return not is_remote(urlsplit(f"//{names.get('host', '')}").hostname or "")
