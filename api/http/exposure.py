"""A warning, once, where anybody from elsewhere may spend the owner's money over the API. Knows keys and addresses."""

import logging

from api.http.state import AppState
from exposure import exposure_warning, is_remote

log = logging.getLogger(__name__)
REMEDY = "Set API_KEYS or API_KEYS_FILE (`python cli.py key NAME` makes a key), or listen on 127.0.0.1."


def warn_if_exposed(state: AppState, address: str) -> None:
    """Log the warning, once, where it applies to this address.

    Call it at the start with the address that is set, and with the one each request arrived at: a server may have
    another.
    """
    if state.exposure_warned or not is_remote(address):
        return
    state.exposure_warned = True
    if not (state.settings.api_keys or state.settings.api_keys_file):
        text = exposure_warning(state.settings, address, "the API", REMEDY)
        if text is not None:
            log.warning("%s", text)
