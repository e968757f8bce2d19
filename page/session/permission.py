"""Who may change what lies on this machine's disk: whoever sits at it, everybody, or nobody, by MODELS_DOWNLOAD.

Knows settings, addresses and headers; nothing of models.
"""

import streamlit as st

from backends import models
from exposure import is_local
from page.session.owner import login_providers
from settings import Settings


def may_download(settings: Settings) -> bool:
    """Whether this visitor may download and remove models. Raises SettingsError."""
    allowed = settings.group(models.ModelsSettings).download
    if allowed == "local":
        return not login_providers() and is_local(settings.host, st.context.headers)
    return allowed == "all"
